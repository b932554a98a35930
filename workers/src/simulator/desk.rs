//! How a call goes: counted, let in, matched with its key, done once, answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    availability::Availability,
    books::{Books, Entry, Found},
    clock::Clock,
    ledger::Ledger,
    pauses::{Pauses, When},
    refusal::{Refusal, hang_up},
    request::{Key, Manner, Operation, Request},
    rules::Answer,
};

/// How long `tok_slow` takes, and `tok_late` cannot be found.
const DELAY: Duration = Duration::from_secs(3);
/// How long `tok_late` keeps a connection that its client does not give up.
const SILENCE: Duration = Duration::from_secs(30);

/// What all calls share. Its locks are held for a change and its line in the ledger, never across
/// an await.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) availability: Availability,
    pub(super) pauses: Pauses,
    stopping: watch::Sender<bool>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) books: Books,
    pub(super) calls: [u64; Operation::ALL.len()],
    ledger: Ledger,
    running: HashMap<Key, Running>,
}

/// A call that is being worked on.
struct Running {
    request: Request,
    /// Not found by its key, rather than in progress.
    hidden: bool,
}

impl Desk {
    pub(super) fn new(ledger: Ledger, books: Books) -> Desk {
        Desk {
            clock: Clock::new(),
            availability: Availability::new(),
            pauses: Pauses::new(),
            stopping: watch::Sender::new(false),
            state: Mutex::new(State {
                books,
                calls: [0; Operation::ALL.len()],
                ledger,
                running: HashMap::new(),
            }),
        }
    }

    /// Counts a call and lets it in, or not.
    pub(super) async fn arrives(&self, operation: Operation) -> Result<(), Refusal> {
        self.lock().calls[operation as usize] += 1;
        self.availability.admit(operation.partner()).await
    }

    /// Does what is asked, once per key, and answers as the request's token wants it.
    ///
    /// The work goes on when the client does not wait for it. A repeat does no work and so never
    /// stops at a pause.
    pub(super) async fn perform(
        self: &Arc<Self>,
        key: Key,
        request: Request,
    ) -> Result<Response, Refusal> {
        request.check()?;
        let is_new_payment = matches!(request, Request::Pay(_));
        let (manner, running) = match self.begin(&key, &request)? {
            Begun::Before(answer) => return Ok(reply(answer, is_new_payment, true)),
            Begun::Now(manner, running) => (manner, running),
        };
        let arrived = self.clock.now();
        let work = tokio::spawn(work(running, request, manner, arrived));
        if manner == Manner::Late {
            self.clock.reach(arrived + SILENCE).await;
            hang_up();
        }
        match work.await {
            Ok(Some(Ok(_))) if manner == Manner::LostAnswer => hang_up(),
            Ok(Some(answer)) => Ok(reply(answer?, is_new_payment, false)),
            Ok(None) | Err(_) => hang_up(), // stopped on the way: nobody can say what came of it
        }
    }

    /// The payment for a key, as it is now.
    pub(super) async fn find(&self, key: &Key) -> Result<Found, Refusal> {
        self.pauses.pass(Operation::Find, When::Before).await;
        let found = self.look_up(key);
        self.pauses.pass(Operation::Find, When::After).await;
        found
    }

    /// Ends everything that waits.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub(super) async fn stopped(&self) {
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// A panic inside leaves at worst one call unanswered: the next may go on.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the key for this request, or says what came of it before.
    fn begin(self: &Arc<Self>, key: &Key, request: &Request) -> Result<Begun, Refusal> {
        let mut state = self.lock();
        if let Some(running) = state.running.get(key) {
            let same = running.request == *request;
            return Err(if same { Refusal::InProgress } else { Refusal::KeyReused });
        }
        if let Some(answered) = state.books.answered(key) {
            let same = answered.request == *request;
            let answer = || Begun::Before(answered.answer.clone());
            return same.then(answer).ok_or(Refusal::KeyReused);
        }
        let manner = request.manner()?;
        let running = Running { request: request.clone(), hidden: manner == Manner::Late };
        state.running.insert(key.clone(), running);
        Ok(Begun::Now(manner, Taken { desk: self.clone(), key: key.clone() }))
    }

    /// The effect: decided, written, taken in, in one go.
    fn record(&self, key: &Key, request: Request) -> Result<Answer, Refusal> {
        let mut state = self.lock();
        let at = self.clock.now();
        let answer = state.books.decide(key, &request, at)?;
        let entry = Entry { at, key: key.text.clone(), request, answer: answer.clone() };
        if let Err(error) = state.ledger.append(&entry) {
            tracing::error!(%error, "cannot write the ledger");
            return Err(Refusal::Unwritten);
        }
        state.books.apply(entry);
        Ok(answer)
    }

    fn look_up(&self, key: &Key) -> Result<Found, Refusal> {
        let state = self.lock();
        match state.running.get(key) {
            Some(Running { request: Request::Pay(_), hidden: false }) => Err(Refusal::InProgress),
            Some(_) => Err(Refusal::NotFound),
            None => state.books.find(key).ok_or(Refusal::NotFound),
        }
    }
}

/// Where a request stands with its key.
enum Begun {
    /// Answered earlier.
    Before(Answer),
    Now(Manner, Taken),
}

/// A key in progress, for as long as this lives.
struct Taken {
    desk: Arc<Desk>,
    key: Key,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.desk.lock().running.remove(&self.key);
    }
}

/// The work of a call, or nothing when the simulator stopped first.
async fn work(
    running: Taken,
    request: Request,
    manner: Manner,
    arrived: Timestamp,
) -> Option<Result<Answer, Refusal>> {
    let Taken { desk, key } = &running;
    let operation = request.operation();
    let work = async {
        desk.pauses.pass(operation, When::Before).await;
        if matches!(manner, Manner::Slow | Manner::Late) {
            desk.clock.reach(arrived + DELAY).await;
        }
        let answer = desk.record(key, request)?;
        desk.pauses.pass(operation, When::After).await;
        Ok(answer)
    };
    tokio::select! {
        biased;
        answer = work => Some(answer),
        () = desk.stopped() => None,
    }
}

/// An answer over the wire, marked when it is not its first time.
fn reply(answer: Answer, is_new_payment: bool, replayed: bool) -> Response {
    let made = is_new_payment && matches!(answer, Answer::Payment(_));
    let mut response = answer.into_response();
    if made {
        *response.status_mut() = StatusCode::CREATED;
    }
    if replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}
