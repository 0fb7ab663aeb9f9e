//! Groups that are tried again: what runs in the next pass.

use std::sync::atomic::{AtomicU32, Ordering};

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{Passes, retry_scope};

mod failed_only {
    use super::*;

    static DOWNLOADS: AtomicU32 = AtomicU32::new(0);
    static CHECKS: AtomicU32 = AtomicU32::new(0);

    #[task(inline)]
    fn download(part: u32) -> u32 {
        DOWNLOADS.fetch_add(1, Ordering::SeqCst);
        part * 10
    }

    #[task]
    async fn verify(part: u32, pass: u32) -> Result<u32, String> {
        CHECKS.fetch_add(1, Ordering::SeqCst);
        if part == 20 && pass == 1 {
            return Err("the second part is broken in the first pass".into());
        }
        Ok(part)
    }

    #[flow]
    async fn fetch() -> anyhow::Result<u32> {
        let sum = retry_scope("fetch", Passes::failed_only(1), |pass| async move {
            // Twice the same call: each has a result of its own.
            let (a, b, again) = (download(1u32), download(2u32), download(1u32));
            let (a, b) = (verify(&a, 0u32), verify(&b, pass));
            Ok(*a.await? + *b.await? + *again.await?)
        });
        Ok(*sum.await?)
    }

    #[orch_core::test]
    async fn a_second_pass_runs_what_did_not_complete_and_keeps_the_rest() {
        let run = TestEngine::new().run(fetch()).await;
        run.assert_completed();
        assert_eq!(run.result.unwrap(), 40);
        assert_eq!(DOWNLOADS.load(Ordering::SeqCst), 3, "one for each call");
        assert_eq!(
            CHECKS.load(Ordering::SeqCst),
            3,
            "only the failed one twice"
        );
    }
}

mod all {
    use super::*;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[task(inline)]
    fn count() -> u32 {
        RUNS.fetch_add(1, Ordering::SeqCst) + 1
    }

    #[task(inline)]
    fn demand(runs: u32) -> Result<u32, String> {
        (runs == 2)
            .then_some(runs)
            .ok_or_else(|| "once is not enough".into())
    }

    #[flow]
    async fn insist() -> anyhow::Result<u32> {
        let runs = retry_scope("insist", 1, |_pass| async { Ok(*demand(count()).await?) });
        Ok(*runs.await?)
    }

    #[orch_core::test]
    async fn a_second_pass_runs_everything_again_by_default() {
        let run = TestEngine::new().run(insist()).await;
        run.assert_completed();
        assert_eq!(run.result.unwrap(), 2);
    }
}
