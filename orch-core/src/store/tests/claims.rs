//! Who may run what.

use super::*;

on_each_store! {
    a_key_is_one_run_while_its_engine_lives;
    a_run_whose_engine_is_gone_is_taken_over;
    what_ended_is_gone_on_with_as_its_state_says;
    a_key_with_other_parameters_is_refused_by_their_names;
    a_run_is_resumed_by_its_id_alone;
    an_engine_that_was_replaced_writes_nothing;
    one_engine_executes_for_a_key;
}

fn a_key_is_one_run_while_its_engine_lives<K: Kind>() {
    let kind = K::new("key");
    let (first, second) = (kind.engine(), kind.engine());
    let row = flow_run("train", Some("k"));
    let fence = start(&*first, row.clone());
    let again = claim(&*first, flow_run("train", Some("k")));
    assert!(
        matches!(again, RunClaim::RunningHere(run) if run == row.id),
        "{again:?}"
    );
    let elsewhere = claim(&*second, flow_run("train", Some("k")));
    let RunClaim::RunningElsewhere { run, owner } = elsewhere else {
        panic!("{elsewhere:?}");
    };
    assert_eq!((run, owner), (row.id, fence.owner));
    // Keys are those of a flow, and runs without one are all different.
    start(&*second, flow_run("other", Some("k")));
    start(&*second, flow_run("train", None));
    start(&*second, flow_run("train", None));
}

fn a_run_whose_engine_is_gone_is_taken_over<K: Kind>() {
    let kind = K::new("gone");
    let first = kind.engine();
    let row = flow_run("train", Some("k"));
    let fence = start(&*first, row.clone());
    drop(first);
    let second = kind.engine();
    let taken = claim(&*second, flow_run("train", Some("k")));
    let RunClaim::TakenOver {
        fence: ours,
        row: found,
    } = taken
    else {
        panic!("{taken:?}");
    };
    assert_eq!((ours.run, ours.epoch), (row.id, fence.epoch + 1));
    assert_ne!(ours.owner, fence.owner);
    assert_eq!(found.state, State::Running, "as it was found");
    let now = block_on(second.flow_run(row.id)).unwrap().unwrap();
    assert_eq!(now.resumptions, 1);
}

fn what_ended_is_gone_on_with_as_its_state_says<K: Kind>() {
    let kind = K::new("ended");
    let store = kind.engine();
    let mut runs = Vec::new();
    for state in [
        State::Completed,
        State::Failed,
        State::Crashed,
        State::Cancelled,
    ] {
        let row = flow_run("train", Some(state.word()));
        let fence = start(&*store, row.clone());
        end(&*store, fence, state);
        runs.push(row.id);
    }
    let claim = |key: &str| claim(&*store, flow_run("train", Some(key)));
    let completed = claim("completed");
    assert!(
        matches!(&completed, RunClaim::Completed(row) if row.result == Some(value(8))),
        "{completed:?}"
    );
    for (key, run) in [("failed", runs[1]), ("crashed", runs[2])] {
        let taken = claim(key);
        assert!(
            matches!(&taken, RunClaim::TakenOver { fence, .. } if fence.run == run),
            "{taken:?}"
        );
    }
    let cancelled = claim("cancelled");
    assert!(
        matches!(&cancelled, RunClaim::Cancelled(row) if row.id == runs[3]),
        "{cancelled:?}"
    );
    let revived = block_on(store.claim_run(ClaimRun {
        row: flow_run("train", Some("cancelled")),
        resume: Some(runs[3]),
        revive_cancelled: true,
    }));
    assert!(
        matches!(revived, Ok(RunClaim::TakenOver { .. })),
        "{revived:?}"
    );
}

fn a_key_with_other_parameters_is_refused_by_their_names<K: Kind>() {
    let kind = K::new("parameters");
    let store = kind.engine();
    let row = flow_run("train", Some("k"));
    let fence = start(&*store, row.clone());
    end(&*store, fence, State::Completed);
    let mut other = flow_run("train", Some("k"));
    let parameters = other.parameters.as_mut().unwrap();
    parameters[0].value = value(1);
    parameters.push(ParameterRow {
        name: "y".to_owned(),
        value: value(2),
        shown: json!(null),
    });
    let refused = claim(&*store, other);
    let RunClaim::KeyReused {
        row: found,
        parameters,
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(found.id, row.id);
    assert_eq!(parameters, ["x", "y"]);
}

fn a_run_is_resumed_by_its_id_alone<K: Kind>() {
    let kind = K::new("resume");
    let store = kind.engine();
    let row = flow_run("train", None);
    let fence = start(&*store, row.clone());
    end(&*store, fence, State::Failed);
    let resume = |run| {
        block_on(store.claim_run(ClaimRun {
            row: flow_run("train", None),
            resume: Some(run),
            revive_cancelled: true,
        }))
        .unwrap()
    };
    assert!(matches!(resume(row.id), RunClaim::TakenOver { .. }));
    assert!(
        matches!(resume(row.id), RunClaim::RunningHere(_)),
        "by the one that has just begun"
    );
    let unknown = FlowRunId::new();
    assert!(matches!(resume(unknown), RunClaim::Unknown(run) if run == unknown));
}

fn an_engine_that_was_replaced_writes_nothing<K: Kind>() {
    let kind = K::new("fence");
    let first = kind.engine();
    let row = flow_run("train", Some("k"));
    let fence = start(&*first, row.clone());
    end(&*first, fence, State::Failed);
    let second = kind.engine();
    let RunClaim::TakenOver { fence: ours, .. } = claim(&*second, flow_run("train", Some("k")))
    else {
        panic!("it had failed");
    };
    let put = |call: u8| Change::TaskRun {
        run: row.id,
        row: Box::new(task_run(call)),
        is_item: false,
    };
    let lost = commit(
        &*first,
        fence,
        &[put(1), Change::Cache(Box::new(cache_entry(1, "a")))],
    );
    assert!(
        matches!(lost, Err(StoreError::OwnershipLost { run, .. }) if run == row.id),
        "{lost:?}"
    );
    assert!(block_on(first.task_runs(row.id)).unwrap().is_empty());
    assert_eq!(
        block_on(first.cached(digest(1))).unwrap(),
        None,
        "whole or not at all"
    );
    commit(&*second, ours, &[put(2)]).unwrap();
    assert_eq!(block_on(first.task_runs(row.id)).unwrap().len(), 1);
}

fn one_engine_executes_for_a_key<K: Kind>() {
    let kind = K::new("inflight");
    let (first, second) = (kind.engine(), kind.engine());
    let claim = |store: &dyn RunStore| block_on(store.claim_key(digest(1))).unwrap();
    let KeyClaim::Claimed(epoch) = claim(&*first) else {
        panic!("nobody has it");
    };
    assert!(matches!(claim(&*second), KeyClaim::HeldBy(_)));
    // Only who has it gives it up.
    block_on(second.release_key(digest(1), epoch)).unwrap();
    assert!(matches!(claim(&*second), KeyClaim::HeldBy(_)));
    block_on(first.release_key(digest(1), epoch)).unwrap();
    assert!(matches!(claim(&*second), KeyClaim::Claimed(_)));
    assert!(matches!(claim(&*first), KeyClaim::HeldBy(_)));
    drop(second);
    assert!(
        matches!(claim(&*first), KeyClaim::Claimed(_)),
        "its engine is gone"
    );
}
