use super::*;

#[test]
fn each_form_of_a_living_secret_is_taken_out_of_a_text() {
    // The encoded forms were made with Python: json.dumps, urllib.parse.quote, base64.
    let secret = Secret::new("pa\"ss w+rd/\u{e4}".to_owned());
    for form in [
        "pa\"ss w+rd/\u{e4}",
        "pa\\\"ss w+rd/\u{e4}",
        "pa%22ss%20w%2Brd%2F%C3%A4",
        "cGEic3MgdytyZC/DpA==",
        "cGEic3MgdytyZC_DpA",
    ] {
        assert_eq!(
            scrub(format!("before {form} after")),
            "before [secret] after",
            "{form}"
        );
    }
    drop(secret);
    assert_eq!(
        scrub("cGEic3MgdytyZC/DpA==".to_owned()),
        "cGEic3MgdytyZC/DpA=="
    );
}

#[test]
fn a_secret_inside_json_is_found_in_names_and_values() {
    let _secret = Secret::new("hunter2-hunter2".to_owned());
    let value = serde_json::json!({ "a hunter2-hunter2": ["x", { "b": "hunter2-hunter2" }, 7] });
    let expected = serde_json::json!({ "a [secret]": ["x", { "b": "[secret]" }, 7] });
    assert_eq!(scrub_json(value), expected);
}

#[test]
fn a_short_value_would_hide_ordinary_text_and_hides_nothing() {
    let _secret = Secret::new("cat".to_owned());
    assert_eq!(scrub("concatenate".to_owned()), "concatenate");
}

#[test]
fn a_file_gives_its_text_without_the_last_line_end() {
    let path = std::env::temp_dir().join(format!("orch-secret-{}", std::process::id()));
    std::fs::write(&path, "line one\nline two\r\n").unwrap();
    let secret: Secret = Secret::from_file(&path).unwrap();
    assert_eq!(secret.expose(), "line one\nline two");
    assert_eq!(*secret.source(), SecretSource::File(path.clone()));
    std::fs::remove_file(&path).unwrap();
    let missing = Secret::<String>::from_file(&path).err().unwrap();
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
}

#[test]
fn a_place_is_read_from_its_text_and_a_value_is_refused() {
    assert_eq!(
        "env:TOKEN".parse::<SecretSource>().unwrap(),
        SecretSource::Env("TOKEN".into())
    );
    assert_eq!(
        "file:/a:b".parse::<SecretSource>().unwrap(),
        SecretSource::File("/a:b".into())
    );
    for value in ["correct horse", "env:", "file:", "http://x"] {
        let refused = value.parse::<SecretSource>().unwrap_err();
        assert!(matches!(refused, SecretError::NotAPlace), "{value}");
    }
}

/// Has one secret, and as many as it was asked for.
struct Ring;

impl SecretProvider for Ring {
    fn secret(&self, name: &str) -> Result<String, crate::BoxError> {
        match name {
            "a/b:c" => Ok("provided secret".to_owned()),
            _ => Err("the ring has no such key".into()),
        }
    }
}

#[test]
fn a_provider_gives_secrets_by_its_name_and_theirs() {
    assert!(
        "ring:a/b:c".parse::<SecretSource>().is_err(),
        "nobody has named it yet"
    );
    provide_secrets("ring", Ring);
    let source: SecretSource = "ring:a/b:c".parse().unwrap();
    assert_eq!(source.to_string(), "ring:a/b:c");
    let secret = Secret::<String>::read(source.clone()).unwrap();
    assert_eq!(secret.expose(), "provided secret");
    assert_eq!(*secret.source(), source);
    assert_eq!(scrub("a provided secret".to_owned()), "a [secret]");

    let error = |text: &str| {
        let source: SecretSource = text.parse().unwrap();
        let error = Secret::<String>::read(source).err().unwrap();
        format!("{:#}", anyhow::Error::from(error))
    };
    assert_eq!(
        error("ring:lost"),
        "`ring` does not give the secret `lost`: the ring has no such key"
    );
    let gone = SecretSource::Provider {
        provider: "vault".to_owned(),
        secret: "x".to_owned(),
    };
    let gone = Secret::<String>::read(gone).err().unwrap();
    assert_eq!(
        gone.to_string(),
        "the secret is of `vault`, and the program has no provider of that name"
    );
}
