//! Cached tasks: what runs again, and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::State;
use orch_core::prelude::*;
use orch_core::testing::TestEngine;

/// Counts the calls of one test's tasks.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn states(report: &orch_core::RunReport) -> Vec<(String, State)> {
    let of = |run: &orch_core::report::TaskRunReport| (run.name.clone(), run.state);
    report.task_runs.iter().map(of).collect()
}

mod a_second_run {
    use super::*;

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[task(cache, inline)]
    fn square(x: u64) -> u64 {
        CALLS.note();
        x * x
    }

    #[task(cache)]
    async fn add(a: u64, b: &u64) -> u64 {
        CALLS.note();
        a + b
    }

    #[flow]
    async fn sum_of_squares(a: u64, b: u64) -> Result<u64, TaskError> {
        Ok(*add(square(a), square(b)).await?)
    }

    #[orch_core::test]
    async fn of_the_same_flow_takes_every_result_from_the_cache() {
        let engine = TestEngine::new().build();
        let (first, report) = sum_of_squares(3u64, 4u64)
            .start(&engine)
            .unwrap()
            .finish()
            .await;
        assert_eq!(first.unwrap(), 25);
        assert_eq!(CALLS.count(), 3);
        assert!(
            states(&report)
                .iter()
                .all(|(_, state)| *state == State::Completed)
        );

        let (second, report) = sum_of_squares(3u64, 4u64)
            .start(&engine)
            .unwrap()
            .finish()
            .await;
        assert_eq!(second.unwrap(), 25);
        assert_eq!(CALLS.count(), 3, "nothing ran again");
        assert!(
            states(&report)
                .iter()
                .all(|(_, state)| *state == State::Cached),
            "{report:?}"
        );

        let (third, report) = sum_of_squares(3u64, 5u64)
            .start(&engine)
            .unwrap()
            .finish()
            .await;
        assert_eq!(third.unwrap(), 34);
        assert_eq!(CALLS.count(), 5, "one square and the sum");
        assert_eq!(
            states(&report),
            [
                ("square".to_owned(), State::Cached),
                ("square".to_owned(), State::Completed),
                ("add".to_owned(), State::Completed),
            ]
        );
    }
}

mod code_in_use {
    use super::*;
    use orch_core::StoredForm;

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[orch_core::code]
    fn weight() -> u64 {
        3
    }

    /// A type with a form of its own and no `Serialize`.
    #[derive(Clone)]
    struct Pixels(Vec<u8>);

    impl StoredForm for Pixels {
        const FORM: &'static str = "test pixels 1";

        fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
            out.write_all(&self.0)
        }

        fn read(bytes: &[u8]) -> Result<Self, orch_core::BoxError> {
            Ok(Self(bytes.to_vec()))
        }
    }

    #[task(cache, inline, uses(weight))]
    fn paint(n: u8) -> Pixels {
        CALLS.note();
        Pixels(vec![n; n as usize])
    }

    #[task(cache, inline, uses(paint))]
    fn weigh(pixels: &Pixels) -> u64 {
        CALLS.note();
        weight() * pixels.0.iter().map(|pixel| u64::from(*pixel)).sum::<u64>()
    }

    #[flow]
    async fn measure(n: u8) -> Result<u64, TaskError> {
        let plain = weigh(Pixels(vec![n; n as usize]));
        let made = weigh(paint(n));
        Ok(*plain.await? + *made.await?)
    }

    #[orch_core::test]
    async fn a_type_with_a_form_of_its_own_is_an_argument_and_a_result_of_cached_tasks() {
        let engine = TestEngine::new().build();
        assert_eq!(measure(2u8).on(&engine).await.unwrap(), 24);
        assert_eq!(
            CALLS.count(),
            2,
            "the plain value and the made one are the same"
        );
        assert_eq!(measure(2u8).on(&engine).await.unwrap(), 24);
        assert_eq!(CALLS.count(), 2);
    }

    #[test]
    fn a_task_is_as_old_as_the_code_it_uses() {
        use orch_core::__private::{Code, CodeParts};
        let of = |add: fn(&mut CodeParts)| {
            let mut parts = CodeParts::default();
            add(&mut parts);
            format!("{parts:?}")
        };
        let weigh = of(weigh::add_to);
        for name in ["::weigh", "::paint", "::weight"] {
            assert_eq!(
                weigh.matches(&format!("{name}\"")).count(),
                1,
                "{name} in {weigh}"
            );
        }
    }
}

mod one_execution {
    use super::*;
    use std::time::Duration;

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[task(cache)]
    async fn slow(x: u64) -> Result<u64, String> {
        CALLS.note();
        let is_first = CALLS.count() == 1;
        // The clock goes on only when the others wait.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if is_first {
            return Err("the first one fails".into());
        }
        Ok(x + 1)
    }

    #[flow(failure = "continue_on_failure")]
    async fn three_times() -> anyhow::Result<Vec<Option<u64>>> {
        let mut results = Vec::new();
        for run in [slow(1u64), slow(1u64), slow(1u64)] {
            results.push(run.await.ok().map(|value| *value));
        }
        results.sort();
        Ok(results)
    }

    #[orch_core::test]
    async fn at_a_time_and_a_failure_of_it_is_not_shared() {
        let run = TestEngine::new().run(three_times()).await;
        assert_eq!(run.result.unwrap(), [None, Some(2), Some(2)]);
        assert_eq!(
            CALLS.count(),
            2,
            "one of the others leads after the first failed, the last takes its result"
        );
    }
}

mod ages {
    use super::*;
    use std::time::Duration;

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[task(cache = "1h", inline)]
    fn price(item: u32) -> u32 {
        CALLS.note();
        item * 10
    }

    #[task(cache = run, inline)]
    fn within(item: u32) -> u32 {
        CALLS.note();
        item
    }

    #[flow]
    async fn buy(wait: u64) -> Result<u32, TaskError> {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        Ok(*price(4u32).await?)
    }

    #[flow]
    async fn twice() -> Result<u32, TaskError> {
        Ok(*within(1u32).await? + *within(1u32).await?)
    }

    #[orch_core::test]
    async fn a_result_past_its_age_is_made_anew() {
        let engine = TestEngine::new().build();
        for (wait, calls) in [(0, 1), (3_500, 1), (3_700, 2)] {
            assert_eq!(buy(wait).on(&engine).await.unwrap(), 40);
            assert_eq!(CALLS.count(), calls, "after {wait} seconds");
        }
        // `cache = run` reuses within a flow run, and no further.
        let before = CALLS.count();
        assert_eq!(twice().on(&engine).await.unwrap(), 2);
        assert_eq!(twice().on(&engine).await.unwrap(), 2);
        assert_eq!(CALLS.count() - before, 2, "once in each flow run");
    }
}

mod random_numbers {
    use super::*;

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[task(cache, inline)]
    fn draw(ctx: &TaskContext) -> u64 {
        CALLS.note();
        ctx.rng().next_u64()
    }

    #[task(cache, inline)]
    fn watch(ctx: &TaskContext) -> u32 {
        CALLS.note();
        if ctx.is_cancelled() { 0 } else { ctx.attempt() }
    }

    #[flow]
    async fn play() -> Result<(u64, u64, u32), TaskError> {
        Ok((*draw().await?, *draw().await?, *watch().await?))
    }

    #[orch_core::test]
    async fn make_the_seed_a_part_of_the_key_and_a_harmless_look_at_the_context_does_not() {
        let engine = Engine::new();
        let first = play().seed(1).on(&engine).await.unwrap();
        assert_ne!(first.0, first.1, "two calls, two seeds");
        assert_eq!(CALLS.count(), 3);
        assert_eq!(play().seed(1).on(&engine).await.unwrap(), first);
        assert_eq!(CALLS.count(), 3, "the same seed");
        let other = play().seed(2).on(&engine).await.unwrap();
        assert_ne!(other.0, first.0);
        assert_eq!(
            CALLS.count(),
            5,
            "two draws; what only watches is the same in every run"
        );
    }
}

mod a_result_past_its_age {
    use super::*;
    use std::time::Duration;

    static CALLS: Calls = Calls(AtomicUsize::new(0));
    static BROKEN: Calls = Calls(AtomicUsize::new(0));

    #[task(cache = "1h", stale_ok = "1d")]
    async fn quote(share: String) -> usize {
        CALLS.note();
        tokio::time::sleep(Duration::from_secs(10)).await;
        share.len() + CALLS.count()
    }

    #[task(cache = "1h", stale_ok = "1h")]
    async fn fragile() -> Result<usize, String> {
        BROKEN.note();
        match BROKEN.count() {
            1 => Ok(1),
            n => Err(format!("call {n} failed")),
        }
    }

    async fn after(time: Duration) -> (usize, Duration) {
        tokio::time::sleep(time).await;
        let asked = tokio::time::Instant::now();
        // Three at once: one of them makes a new one.
        let quotes = [quote("abc"), quote("abc"), quote("abc")];
        let mut last = 0;
        for quote in quotes {
            last = *quote.await.unwrap();
        }
        (last, asked.elapsed())
    }

    #[flow]
    async fn watch() -> anyhow::Result<()> {
        let minute = Duration::from_secs(60);
        assert_eq!(after(minute).await, (4, Duration::from_secs(10)));
        assert_eq!(after(30 * minute).await, (4, Duration::ZERO));
        assert_eq!(CALLS.count(), 1);
        // Past its hour: the old one at once, and the new one when it is there.
        assert_eq!(after(60 * minute).await, (4, Duration::ZERO));
        tokio::time::sleep(minute).await;
        assert_eq!(CALLS.count(), 2, "once per key");
        assert_eq!(after(minute).await, (5, Duration::ZERO));
        assert_eq!(after(30 * minute).await, (5, Duration::ZERO));
        assert_eq!(CALLS.count(), 2, "the new one has an hour as well");
        // Past the day: it is waited for.
        assert_eq!(
            after(25 * 60 * minute + 60 * minute).await,
            (6, Duration::from_secs(10))
        );
        Ok(())
    }

    #[orch_core::test]
    async fn is_given_at_once_and_made_anew_beside_the_flow_run() {
        let run = TestEngine::new().run(watch()).await;
        run.assert_completed();
    }

    #[flow]
    async fn ask() -> anyhow::Result<usize> {
        Ok(*fragile().await?)
    }

    #[orch_core::test]
    async fn stays_when_a_new_one_cannot_be_made_and_lasts_over_flow_runs() {
        let engine = TestEngine::new().build();
        assert_eq!(ask().on(&engine).await.unwrap(), 1);
        tokio::time::sleep(Duration::from_secs(90 * 60)).await;
        for n in 2..5 {
            assert_eq!(ask().on(&engine).await.unwrap(), 1);
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(BROKEN.count(), n, "the next one who asks tries again");
        }
        tokio::time::sleep(Duration::from_secs(30 * 60)).await;
        let error = ask().on(&engine).await.unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains("call 5 failed"));
    }
}

mod an_engine_that_keeps_builds_apart {
    use super::*;
    use std::sync::Arc;

    use orch_core::store::{MemoryBlobs, MemoryStore};

    static CALLS: Calls = Calls(AtomicUsize::new(0));

    #[task(cache)]
    async fn cube(x: u64) -> u64 {
        CALLS.note();
        x * x * x
    }

    #[flow]
    async fn cubed(x: u64) -> Result<u64, TaskError> {
        Ok(*cube(x).await?)
    }

    #[tokio::test]
    async fn has_the_program_in_its_keys_and_shares_results_with_its_like_only() {
        let store = Arc::new(MemoryStore::new());
        let blobs = Arc::new(MemoryBlobs::new());
        let engine = |is_apart| {
            let builder = Engine::builder().cache_per_build(is_apart);
            builder.build_on(Arc::clone(&store) as _, Arc::clone(&blobs) as _)
        };
        assert_eq!(cubed(3u64).on(&engine(false)).await.unwrap(), 27);
        let apart = engine(true);
        let run = cubed(3u64).start(&apart).unwrap();
        let id = run.id();
        assert_eq!(run.await.unwrap(), 27);
        assert_eq!(CALLS.count(), 2);
        for is_apart in [true, false] {
            cubed(3u64).on(&engine(is_apart)).await.unwrap();
        }
        assert_eq!(CALLS.count(), 2);

        let recorded = apart.recorded_run(id).unwrap().unwrap();
        let parts = &recorded.task_runs[0].key.as_ref().unwrap().parts;
        let build = parts.iter().find(|part| part.name == "build").unwrap();
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(build.digest.as_bytes(), blake3::hash(&program).as_bytes());
    }
}
