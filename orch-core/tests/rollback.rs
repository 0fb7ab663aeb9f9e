//! Undoing what completed, and what bodies remember.

use std::sync::Mutex;

use orch_core::State;
use orch_core::prelude::*;
use orch_core::testing::TestEngine;

mod a_flow_that_fails {
    use super::*;

    static UNDONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[task(inline)]
    fn release(name: String, seats: &u32, booking: &u64) -> Result<(), String> {
        let undone = format!("{name}: {seats} seats of booking {booking}");
        UNDONE.lock().unwrap().push(undone);
        if name == "broken" {
            return Err("this booking cannot be released".into());
        }
        Ok(())
    }

    #[task(rollback = release)]
    async fn book(name: String, seats: &u32) -> u64 {
        u64::from(*seats) + name.len() as u64
    }

    #[task(inline)]
    fn pay(total: u64) -> Result<u64, String> {
        Err(format!("no money for {total}"))
    }

    #[flow]
    async fn travel() -> anyhow::Result<u64> {
        let flight = book("flight", 2u32).await?;
        let hotel = book("broken", 1u32).await?;
        let car = book("car", 1u32);
        Ok(*pay(*flight + *hotel + *car.await?).await?)
    }

    #[orch_core::test]
    async fn undoes_what_completed_the_last_first_with_inputs_and_output() {
        let run = TestEngine::new().run(travel()).await;
        let error = run.result.as_ref().unwrap_err();
        assert_eq!(
            error.to_string(),
            "flow run `travel` failed"
                .to_owned()
                .replace("travel", error.flow_run())
        );
        assert_eq!(
            *UNDONE.lock().unwrap(),
            [
                "car: 1 seats of booking 4",
                "broken: 1 seats of booking 7",
                "flight: 2 seats of booking 8",
            ]
        );
        let states: Vec<State> = run
            .report
            .task_runs
            .iter()
            .filter(|run| run.task == "book")
            .map(|run| run.state)
            .collect();
        // One that cannot be undone stays as it is, and keeps nobody else from it.
        assert_eq!(
            states,
            [State::RolledBack, State::Completed, State::RolledBack]
        );
    }
}

mod a_flow_that_completes {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static UNDONE: AtomicU32 = AtomicU32::new(0);

    #[task(inline)]
    fn undo(x: u32, y: &u32) {
        UNDONE.fetch_add(x + y, Ordering::SeqCst);
    }

    #[task(inline, rollback = undo)]
    fn double(x: u32) -> u32 {
        2 * x
    }

    #[flow]
    async fn twice() -> anyhow::Result<u32> {
        Ok(*double(double(4u32)).await?)
    }

    #[orch_core::test]
    async fn undoes_nothing() {
        let run = TestEngine::new().run(twice()).await;
        run.assert_completed();
        assert_eq!(run.result.unwrap(), 16);
        assert_eq!(UNDONE.load(Ordering::SeqCst), 0);
    }
}

mod what_a_task_run_remembers {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHARGES: AtomicU32 = AtomicU32::new(0);
    static EPOCHS: AtomicU32 = AtomicU32::new(0);

    #[task(retries = 2)]
    async fn order(ctx: &TaskContext, item: u32) -> Result<(u32, String), String> {
        let receipt = ctx
            .step(("charge", item), || async {
                Ok::<_, String>(100 + CHARGES.fetch_add(1, Ordering::SeqCst))
            })
            .await?;
        let failing = ctx
            .step("failing", || async { Err::<u32, _>("not yet".to_owned()) })
            .await;
        assert!(failing.is_err(), "a failure is not remembered as a success");
        if ctx.attempt() < 3 {
            return Err("the answer was lost".into());
        }
        Ok((receipt, ctx.idempotency_key()))
    }

    #[task(retries = 1)]
    fn train(ctx: &TaskContext) -> Result<Vec<u32>, String> {
        let mut done: Vec<u32> = ctx.restore().unwrap_or_default();
        for epoch in done.len() as u32..6 {
            if epoch == 4 && ctx.attempt() == 1 {
                return Err("the machine went away".into());
            }
            EPOCHS.fetch_add(1, Ordering::SeqCst);
            done.push(epoch);
            ctx.checkpoint(&done).map_err(|error| error.to_string())?;
        }
        Ok(done)
    }

    #[flow]
    async fn shop() -> anyhow::Result<(u32, Vec<u32>)> {
        let (order, train) = (order(7u32), train());
        Ok((order.await?.0, train.await?.into_inner()))
    }

    #[orch_core::test]
    async fn lasts_over_its_attempts() {
        let run = TestEngine::new().run(shop()).await;
        run.assert_completed();
        let (receipt, epochs) = run.result.unwrap();
        assert_eq!(receipt, 100);
        assert_eq!(
            CHARGES.load(Ordering::SeqCst),
            1,
            "charged once in three attempts"
        );
        assert_eq!(epochs, [0, 1, 2, 3, 4, 5]);
        assert_eq!(
            EPOCHS.load(Ordering::SeqCst),
            6,
            "no epoch was computed twice"
        );
    }
}
