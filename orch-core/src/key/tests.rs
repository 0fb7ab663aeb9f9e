//! Call ids and cache keys put together from `docs/encoding.md` with Python's `blake3` 1.0.11, out of
//! the digests that the tests of the encoding pin.

use super::*;
use crate::id::FlowRunId;
use crate::identity::{Origin, Part};
use crate::input::Owned;
use crate::store::CallId;

/// What generated code makes of a number that is given plainly.
fn plain(number: u32) -> Owned<u32> {
    <u32 as crate::input::Input<u32, crate::input::ByValue>>::into_argument(number)
}

/// What generated code does for a task `fn task(n: u32)` that is called with 7.
fn hand_over(keys: &mut Keys<'_>) {
    keys.value("n", &plain(7), DigestProbe::<u32>::DIGEST);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_call_is_named_by_its_scope_its_task_its_arguments_and_its_ordinal() {
    let mut call = CallHasher::new(FlowRunId::NONE, CallId::ROOT, "pkg::task");
    hand_over(&mut call.keys());
    let known = call.finish();
    assert!(known.is_complete && !known.has_files);
    assert_eq!(hexadecimal(&known.base), "d4108b891d3dd53bc502ec2c1e2a4d0a");
    let first = numbered(known.base, 0).to_string();
    assert_eq!(first, "4326013485dba57aba5be7c73d78db92");
    let second = numbered(known.base, 1).to_string();
    assert_eq!(second, "b72deb610323cfb739ee4551da64c110");
}

#[test]
fn a_cache_key_is_the_task_and_a_digest_for_each_argument() {
    let (id, code, version) = (
        value::digest_of_text("pkg::task"),
        Digest::from_bytes([0xc0; 32]),
        value::digest_of_text("2"),
    );
    let head = KeyHead::new("pkg::task".into(), id, code, Some(("2", version)));
    assert_eq!(
        hexadecimal(&head.digest),
        "a4fcb6a52444b52e5fc7dc8c83a8b8a8d22b66ef1464f80fe183bd00494a667b"
    );
    let unversioned = KeyHead::new("pkg::task".into(), id, code, None);
    assert_eq!(
        hexadecimal(&unversioned.digest),
        "c4adbf18cd2bd6943ce30f48ddf945ee2c3042e8603d060cbaa8e9655e020ede"
    );
    for is_shown in [false, true] {
        let mut builder = KeyBuilder::new(&head, Files::ByContent, is_shown);
        hand_over(&mut builder.keys());
        let (key, files) = builder.finish().unwrap();
        assert!(files.is_empty());
        assert_eq!(
            key.digest.to_string(),
            "a343e50a235e0a5967fc4146cd04f8e306c4fb5a0f101cb463bffc7ce89e62be"
        );
        let parts: Vec<String> = key
            .to_row()
            .parts
            .into_iter()
            .map(|part| part.name)
            .collect();
        assert_eq!(parts, ["task", "code", "version", "n"]);
    }
}

#[test]
fn an_argument_that_the_cache_key_skips_names_a_call_and_a_resource_does_not() {
    let mut call = CallHasher::new(FlowRunId::NONE, CallId::ROOT, "pkg::task");
    let argument = plain(7);
    // `n` has no digest: the call is named without it, and knows that.
    call.keys().value::<u32>("n", &argument, None);
    call.keys().skip("s", &argument, DigestProbe::<u32>::DIGEST);
    call.keys()
        .resource("pool", || unreachable!("nobody asks what it stands for"));
    let known = call.finish();
    assert!(!known.is_complete);
    assert_eq!(hexadecimal(&known.base), "fa8f7bbd5f971403382c7dc482367c48");
}

#[test]
fn a_map_is_named_as_well_by_its_name_and_an_upstream_of_another_flow_run_by_nothing() {
    let mut call = CallHasher::new(FlowRunId::NONE, CallId::CLEANUP, "pkg::task");
    call.text("items");
    let is_named = call.origin(&Origin {
        header: None,
        part: Part::Whole,
        digest: None,
    });
    assert!(!is_named);
    let base = call.finish().base;
    assert_eq!(hexadecimal(&base), "ea692223463f7f6c8ce1a31b220b43de");
}

#[test]
fn what_undoes_a_call_has_a_scope_for_each_execution() {
    let base = 0xd410_8b89_1d3d_d53b_c502_ec2c_1e2a_4d0a_u128.to_be_bytes();
    let undoing = numbered(base, 0).undoing(3).to_string();
    assert_eq!(undoing, "7f3854a0460782640e7fc956097a9f3b");
}

#[test]
fn a_branch_is_a_scope_of_its_own_and_branches_of_one_name_are_numbered() {
    let body = crate::identity::Calls::default();
    let branches = ["left", "left"].map(|name| body.branch(name).to_string());
    assert_eq!(
        branches,
        [
            "cf75d59d11ab442b9383df7b148bbf2e",
            "9e28bcbc739d57b3930a85a3acb32648"
        ]
    );
}

#[test]
fn resources_and_texts_are_parts_of_a_cache_key_and_skipped_arguments_are_not() {
    let head = KeyHead::new(
        "pkg::task".into(),
        value::digest_of_text("pkg::task"),
        Digest::from_bytes([0xc0; 32]),
        Some(("2", value::digest_of_text("2"))),
    );
    let mut builder = KeyBuilder::new(&head, Files::ByContent, false);
    let mut keys = builder.keys();
    hand_over(&mut keys);
    keys.skip("s", &plain(8), DigestProbe::<u32>::DIGEST);
    keys.resource("pool", || Some("abc".to_owned()));
    builder.text("seed", "42");
    let (key, _) = builder.finish().unwrap();
    assert_eq!(
        key.digest.to_string(),
        "1d39a0277094155a437788a2154cc7e232d2aa47416176b2f32c2820e25cacc9"
    );
}

#[test]
fn several_handles_are_the_hash_of_their_digests() {
    let digests = [
        "314b0f564f15b78141e461fb4e95f27b7ef721e4dd38da327f6da8e304104058",
        "c41c4a07ca43e9b783674c210ce52311f92c7bcd83b3df76b12f2ac8eb739f00",
    ];
    let mut gathered = GatheredDigest::default();
    for digest in digests {
        gathered.add(&Origin {
            header: None,
            part: Part::Whole,
            digest: Some(digest.parse().unwrap()),
        });
    }
    assert_eq!(
        gathered.clone().finish().unwrap().to_string(),
        "19cbda9b3da7775181a29cf9765f8e12e4564d00b66495663384617522c57c56"
    );
    gathered.add(&Origin {
        header: None,
        part: Part::Whole,
        digest: None,
    });
    assert_eq!(gathered.finish(), None);
}
