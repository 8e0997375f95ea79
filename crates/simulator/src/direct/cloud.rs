//! The pretend account behind the engine's asynchronous port, for programs that run the real loop against it. Whoever
//! owns the simulation moves its time; this face only looks and listens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use engine::ports::{
    ActResult, Answer, Cloud, Delivery, FailureKind, Intent, Look, LookFailure, Receipt, Scope, observation::Text,
};
use tokio::sync::{Notify, mpsc};

use super::{
    acts,
    answers::{self, Answered},
};
use crate::{clock::Moment, courier::Parcel, simulation::Simulation};

/// How long a message stays out of sight after it was received.
const VISIBILITY_MS: i64 = 30_000;

/// A simulation that several tasks may look at, with a queue that its events arrive in.
#[derive(Clone, Debug)]
pub struct SimulatedCloud {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    arrived: Notify,
    /// The world's time was moved.
    moved: Notify,
}

#[derive(Debug)]
struct State {
    simulation: Simulation,
    waiting: VecDeque<Message>,
    in_flight: Vec<(Moment, Message)>,
    serial: u64,
}

#[derive(Debug)]
struct Message {
    handle: u64,
    body: Vec<u8>,
}

impl SimulatedCloud {
    /// Puts a simulation behind the port.
    pub fn new(simulation: Simulation) -> Self {
        let state = State { simulation, waiting: VecDeque::new(), in_flight: Vec::new(), serial: 0 };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), arrived: Notify::new(), moved: Notify::new() }) }
    }

    /// Lets the world's time pass until `until`; events land in the queue.
    pub fn advance_to(&self, until: Moment) {
        let mut ready: Vec<Parcel> = Vec::new();
        let mut state = self.state();
        state.simulation.advance_to(until, &mut ready);
        for parcel in &ready {
            let mut body = Vec::with_capacity(2_800);
            parcel.write(&state.simulation.world, &mut body);
            state.serial += 1;
            let handle = state.serial;
            state.waiting.push_back(Message { handle, body });
        }
        // Messages nobody acknowledged in time are seen again.
        let mut at = 0;
        while at < state.in_flight.len() {
            if state.in_flight[at].0 <= until {
                let (_, message) = state.in_flight.swap_remove(at);
                state.waiting.push_back(message);
            } else {
                at += 1;
            }
        }
        let any = !state.waiting.is_empty();
        drop(state);
        self.inner.moved.notify_waiters();
        if any {
            self.inner.arrived.notify_waiters();
        }
    }

    /// Looks into the simulation, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Simulation) -> T) -> T {
        let seen = look(&mut self.state().simulation);
        self.inner.moved.notify_waiters();
        seen
    }

    /// Messages that wait in the queue or are being worked on.
    pub fn queued(&self) -> usize {
        let state = self.state();
        state.waiting.len() + state.in_flight.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the world as it was; tests that assert want to see it.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive_now(&self) -> Vec<Delivery> {
        let mut state = self.state();
        let hidden_until = state.simulation.now().plus(VISIBILITY_MS);
        let count = state.waiting.len().min(10);
        let batch: Vec<Message> = state.waiting.drain(..count).collect();
        let mut deliveries = Vec::with_capacity(count);
        for message in batch {
            let receipt = Receipt { queue: "simulated".into(), handle: message.handle.to_string() };
            deliveries.push(Delivery { body: message.body.clone(), receipt });
            state.in_flight.push((hidden_until, message));
        }
        deliveries
    }
}

fn answer(answered: Answered) -> Answer {
    match answered {
        Ok(sweep) => Answer::Swept(sweep),
        Err(failure) => Answer::Failed(failure),
    }
}

#[async_trait]
impl Cloud for SimulatedCloud {
    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        let mut found = Vec::new();
        answers::sweep(&mut self.state().simulation, &mut |answered| found.push(answered));
        for answered in found {
            if answers.send(answer(answered)).await.is_err() {
                return;
            }
        }
    }

    async fn look(&self, look: Look) -> Answer {
        answer(answers::look(&mut self.state().simulation, &look))
    }

    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static> {
        let begun = acts::act(&mut self.state().simulation, intent, again);
        // The world's time is moved by its owner; the end is seen when that time has come.
        loop {
            let moved = self.inner.moved.notified();
            tokio::pin!(moved);
            // Registered before looking, so that time that passes in between is not missed.
            moved.as_mut().enable();
            if self.state().simulation.now() >= begun.ends_at {
                return begun.result;
            }
            moved.await;
        }
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        loop {
            let arrived = self.inner.arrived.notified();
            tokio::pin!(arrived);
            // Registered before looking, so that what arrives in between wakes us.
            arrived.as_mut().enable();
            let found = self.receive_now();
            if !found.is_empty() {
                return Ok(found);
            }
            arrived.await;
        }
    }

    async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        let mut state = self.state();
        for receipt in receipts {
            let Ok(handle) = receipt.handle.parse::<u64>() else {
                return Err(LookFailure {
                    scope: Scope::Clusters(Text::Borrowed("")),
                    kind: FailureKind::Failed,
                    message: Text::Owned(format!("`{}` is no receipt of the simulated queue", receipt.handle)),
                });
            };
            state.in_flight.retain(|(_, message)| message.handle != handle);
            state.waiting.retain(|message| message.handle != handle);
        }
        Ok(())
    }
}
