use std::time::Duration;

use super::*;

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("orch-settings-{name}-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn builder() -> EngineBuilder {
    crate::Engine::builder()
}

/// What a setting is and who says so.
fn setting(builder: &EngineBuilder, key: &str) -> (String, SettingSource) {
    let settings = builder.settings();
    let found = settings.iter().find(|setting| setting.key == key);
    let found = found.unwrap_or_else(|| panic!("no `{key}` in {settings:?}"));
    (found.value.clone(), found.source.clone())
}

const LAYERED: &str = r#"
grace = "10s"
workers = 3
memory_cache = "2 MiB"
refresh = ["train*", "load"]

[retention]
max_runs = 7

[limits]
gpu = 1

[profile.prod]
grace = "20s"
durability = "strict"

[profile.prod.limits]
gpu = 4
"#;

#[test]
fn the_program_goes_before_variables_those_before_a_profile_and_that_before_the_file() {
    let file = File::new("layers", LAYERED);
    let sources = SettingSources::none()
        .file(&file.0)
        .profile("prod")
        .variable("ORCH_WORKERS", "4")
        .variable("ORCH_RETENTION_MAX_AGE", "2d");
    let in_file = |profile: Option<&str>| SettingSource::File {
        path: file.0.clone(),
        profile: profile.map(str::to_owned),
    };
    let variable = |name: &str| SettingSource::Variable(name.to_owned());
    let builder = builder()
        .seed(5)
        .configure_from(&sources)
        .unwrap()
        .event_capacity(9);
    for (key, value, source) in [
        ("seed", "5", SettingSource::Program),
        ("event_capacity", "9", SettingSource::Program),
        ("workers", "4", variable("ORCH_WORKERS")),
        (
            "retention.max_age",
            "2d",
            variable("ORCH_RETENTION_MAX_AGE"),
        ),
        ("grace", "20s", in_file(Some("prod"))),
        ("durability", "strict", in_file(Some("prod"))),
        ("limits.gpu", "4", in_file(Some("prod"))),
        ("memory_cache", "2.0 MiB", in_file(None)),
        ("refresh", "train*, load", in_file(None)),
        ("retention.max_runs", "7", in_file(None)),
        ("failure_mode", "fail_fast", SettingSource::Default),
    ] {
        assert_eq!(setting(&builder, key), (value.to_owned(), source), "{key}");
    }
    let settings = builder.config;
    assert_eq!(settings.workers, Some(4));
    assert_eq!(settings.grace, Duration::from_secs(20));
    assert_eq!(settings.memory_cache, 2 * 1024 * 1024);
    assert_eq!(
        settings.retention.limits(),
        (Some(7), Some(Duration::from_secs(172_800)), None)
    );
    assert_eq!(builder.limits.status()[0].slots, Some(4));
}

#[test]
fn what_the_program_sets_counts_before_and_after() {
    let sources = SettingSources::none()
        .variable("ORCH_GRACE", "1s")
        .variable("ORCH_LIMITS_GPU", "1");
    let before = builder().grace(Duration::ZERO).limit("gpu", 8);
    let before = before.configure_from(&sources).unwrap();
    let after = builder().configure_from(&sources).unwrap();
    let after = after.grace(Duration::ZERO).limit("gpu", 8);
    for builder in [before, after] {
        assert_eq!(
            setting(&builder, "grace"),
            ("0s".to_owned(), SettingSource::Program)
        );
        assert_eq!(
            setting(&builder, "limits.gpu"),
            ("8".to_owned(), SettingSource::Program)
        );
    }
}

#[test]
fn every_setting_takes_what_it_shows() {
    let fresh = builder();
    for entry in ENTRIES {
        let shown = (entry.show)(&fresh.config);
        let mut config = Config::default();
        if (entry.set)(&mut config, &shown).is_ok() {
            assert_eq!((entry.show)(&config), shown, "{}", entry.key);
        }
        let mut config = Config::default();
        let problem = (entry.set)(&mut config, "-1 nonsense");
        assert!(problem.is_err() || entry.key == "refresh", "{}", entry.key);
    }
    let keys: Vec<&str> = ENTRIES.iter().map(|entry| entry.key).collect();
    assert!(keys.is_sorted());
}

fn error(sources: SettingSources) -> String {
    let error = builder().configure_from(&sources).unwrap_err();
    let error = anyhow::Error::from(error);
    format!("{error:#}").replace(std::env::temp_dir().to_str().unwrap(), "/tmp")
}

#[test]
fn a_wrong_setting_is_named_with_its_place_and_what_it_may_be() {
    let variable = |name, value| error(SettingSources::none().variable(name, value));
    assert_eq!(
        variable("ORCH_DURABILITY", "strong"),
        "`strong`, which variable ORCH_DURABILITY has for `durability`, is none of `relaxed`, `strict`"
    );
    assert_eq!(
        variable("ORCH_WORKERS", "0"),
        "`0`, which variable ORCH_WORKERS has for `workers`, is not at least 1"
    );
    let grace = variable("ORCH_GRACE", "soon");
    assert!(grace.contains("for `grace`, is no duration"), "{grace}");
    let cache = variable("ORCH_CACHE_MAX_BYTES", "much");
    assert!(
        cache.contains("is no number of bytes: write `1048576`"),
        "{cache}"
    );

    let file = |name: &str, text: &str| {
        let file = File::new(name, text);
        error(SettingSources::none().file(&file.0)).replace(&format!("-{}", std::process::id()), "")
    };
    let unknown = file("unknown", "[retention]\nmax_run = 3\n");
    let start = "there is no setting `retention.max_run`, which /tmp/orch-settings-unknown.toml has \
                 (there are: `cache.max_age`, ";
    assert!(unknown.starts_with(start), "{unknown}");
    let malformed = file("malformed", "grace = \n");
    assert!(
        malformed.contains("are malformed: TOML parse error at line 1"),
        "{malformed}"
    );
    let program = builder().workers(2);
    let wrong = SettingSources::none().variable("ORCH_WORKERS", "two");
    assert!(
        program.configure_from(&wrong).is_err(),
        "a wrong value is one even if it does not count"
    );
}

#[test]
fn a_file_or_a_profile_that_was_named_has_to_be_there() {
    let missing = SettingSources::none().file("/nowhere/orch.toml");
    let missing = error(missing);
    assert!(
        missing.starts_with("the settings in `/nowhere/orch.toml` cannot be read: "),
        "{missing}"
    );
    let file = File::new("profiles", LAYERED);
    let unknown = error(SettingSources::none().file(&file.0).profile("test"));
    assert!(
        unknown.ends_with("has no profile `test` (it has: `prod`)"),
        "{unknown}"
    );
}
