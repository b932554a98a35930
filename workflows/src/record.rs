//! What a booking's workflow knows: its plan, every event it knows of, and their fold.
//!
//! Handlers and the course publish here; the publisher carries the events to the journal. The state
//! of the booking is the fold of the events and nothing else, so a decision is an event.

use std::rc::Rc;

use bellhop_domain::{
    act::Appended,
    event::{Actor, Change, CommandRef, Event, NewEvent, StoredEvent},
    id::{BookingId, SubjectId},
    money::Money,
    plan::Plan,
    status::{Status, Trigger, may_move},
    view::BookingView,
};
use jiff::Timestamp;

/// What a booking's workflow knows.
pub(crate) struct Record {
    pub(crate) id: BookingId,
    pub(crate) first_run_id: String,
    pub(crate) plan: Rc<Plan>,
    /// Who booked.
    pub(crate) actor: Actor,
    pub(crate) view: BookingView,
    entries: Vec<Entry>,
    phase: Phase,
}

struct Entry {
    event: NewEvent,
    journalled: bool,
    /// Known from the journal alone: a life of this workflow that was lost has published it.
    inherited: bool,
}

/// How far the record may be published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no booking to publish for yet.
    Unopened,
    Open,
    /// Nothing will be added any more.
    Closed,
}

impl Record {
    pub(crate) fn new(id: BookingId, first_run_id: String, plan: Plan, actor: Actor) -> Self {
        let view = BookingView::default();
        let (plan, entries) = (Rc::new(plan), vec![]);
        Self { id, first_run_id, plan, actor, view, entries, phase: Phase::Unopened }
    }

    /// Adds what happened. The move is left out where the table no longer has it: what an act has
    /// done is a fact even when a cancellation came first. What a lost life has published of the same
    /// is not said again.
    pub(crate) fn publish(&mut self, fact: Fact, at: Timestamp) {
        let ordinal = self.entries.iter().filter(|it| it.event.event.kind() == fact.event.kind());
        let ordinal = u32::try_from(ordinal.count()).unwrap_or(u32::MAX).saturating_add(1);
        let mut event = NewEvent::new(fact.event, ordinal);
        if let Some((actor, command)) = fact.by {
            (event.actor, event.command) = (actor, command);
        }
        let legal =
            |it: &Change| may_move(self.view.status, it.trigger, event.actor.role, it.status);
        event.change = fact.change.filter(legal);
        let is_same = |it: &&mut Entry| {
            it.inherited
                && (&it.event.event, it.event.change, &it.event.actor)
                    == (&event.event, event.change, &event.actor)
        };
        match self.entries.iter_mut().find(is_same) {
            Some(entry) => entry.inherited = false,
            None => self.add(event, at, false),
        }
    }

    /// Takes in what the journal knows already: events of an act, or of a life of this workflow that
    /// was lost before it could be recorded.
    pub(crate) fn learn(&mut self, stored: &[StoredEvent]) {
        for it in stored {
            match self.entries.iter_mut().find(|entry| entry.event.key == it.event.key) {
                Some(entry) => entry.journalled = true,
                None => {
                    let mut event = it.event.clone();
                    let legal = |change: &Change| {
                        may_move(self.view.status, change.trigger, event.actor.role, change.status)
                    };
                    event.change = event.change.filter(legal);
                    self.add(event, it.at, true);
                }
            }
        }
    }

    fn add(&mut self, event: NewEvent, at: Timestamp, journalled: bool) {
        let stored = StoredEvent { seq: self.known() + 1, at, event };
        // A misplaced event cannot come here: its move was left out above.
        let _ = self.view.fold(&stored);
        self.entries.push(Entry { event: stored.event, journalled, inherited: journalled });
    }

    /// How many events are known.
    pub(crate) fn known(&self) -> i64 {
        i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    /// The events that the journal is not known to have.
    pub(crate) fn unsent(&self) -> Vec<NewEvent> {
        let unsent = self.entries.iter().filter(|it| !it.journalled);
        unsent.map(|it| it.event.clone()).collect()
    }

    /// Whether the publisher has something to do, or is to end.
    pub(crate) fn wants_publisher(&self) -> bool {
        match self.phase {
            Phase::Unopened => false,
            Phase::Open => self.entries.iter().any(|it| !it.journalled),
            Phase::Closed => true,
        }
    }

    /// Notes that the journal has these.
    pub(crate) fn sent(&mut self, sent: &[NewEvent]) {
        for entry in &mut self.entries {
            entry.journalled |= sent.iter().any(|it| it.key == entry.event.key);
        }
    }

    /// Notes what the journal answered to `sent`. A journal that has less than it once answered has
    /// been set back: it gets everything again.
    pub(crate) fn journalled(&mut self, sent: &[NewEvent], appended: &Appended) {
        self.sent(sent);
        self.learn(&appended.more);
        let have = self.entries.iter().filter(|it| it.journalled).count();
        if appended.last_seq < i64::try_from(have).unwrap_or(i64::MAX) {
            self.entries.iter_mut().for_each(|it| it.journalled = false);
        }
    }

    /// What the end of the booking keeps of the price, if it says so.
    pub(crate) fn keep(&self) -> Option<Money> {
        self.entries.iter().find_map(|it| match &it.event.event {
            Event::Cancelling { keep, .. } | Event::Missed { keep } => *keep,
            _ => None,
        })
    }

    /// Who has declined to serve the booking, or has not answered.
    pub(crate) fn excluded(&self) -> Vec<SubjectId> {
        let subject = |it: &Entry| match &it.event.event {
            Event::OfferDeclined { subject } | Event::OfferLapsed { subject } => {
                Some(subject.clone())
            }
            _ => None,
        };
        self.entries.iter().filter_map(subject).collect()
    }

    /// Whether what was held is used up.
    pub(crate) fn is_used_up(&self) -> bool {
        self.entries.iter().any(|it| matches!(it.event.event, Event::HoldUsed { .. }))
    }

    /// Whether nothing will be added any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// From here on there is a booking to publish for.
    pub(crate) fn open(&mut self) {
        self.phase = Phase::Open;
    }

    /// Lets the publisher end once everything is sent.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// Ends without effect: nothing of this run is published.
    pub(crate) fn abandon(&mut self) {
        self.entries.clear();
        self.close();
    }
}

/// Something that happened, before it is numbered.
pub(crate) struct Fact {
    event: Event,
    change: Option<Change>,
    by: Option<(Actor, Option<CommandRef>)>,
}

impl Fact {
    /// Something that Bellhop did.
    pub(crate) fn new(event: Event) -> Self {
        Self { event, change: None, by: None }
    }

    /// The same, moving the booking.
    pub(crate) fn moving(self, trigger: Trigger, status: Status) -> Self {
        Self { change: Some(Change { trigger, status }), ..self }
    }

    /// The same, done by somebody.
    pub(crate) fn by(self, actor: Actor, command: Option<CommandRef>) -> Self {
        Self { by: Some((actor, command)), ..self }
    }

    /// It as an event that an act journals with its effect.
    pub(crate) fn into_event(self) -> NewEvent {
        NewEvent { change: self.change, ..NewEvent::new(self.event, 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellhop_domain::{
        event::Role,
        plan::{Customer, Pace, Request},
        service::Service,
        text::Language,
    };

    fn record() -> Result<Record, Box<dyn std::error::Error>> {
        let text = include_str!("../../services/call-taxi.toml");
        let service = Service::parse("call-taxi.toml", text)?;
        let request = Request {
            customer: Customer {
                id: "cus_kim".parse()?,
                name: "Kim".to_owned(),
                phone: "010-1234-5678".parse()?,
                language: Language::Ko,
            },
            options: [("grade".to_owned(), "prime".to_owned())].into(),
            starts_at: Timestamp::UNIX_EPOCH,
            place: None,
            quantity: 1,
            agreed_cost: None,
            payment: None,
        };
        let (revision, fingerprint) = (service.revision()?, String::new());
        let plan = Plan { service, revision, request, fingerprint, pace: Pace::default() };
        let actor = Actor::new(Role::Customer, "cus_kim");
        let mut record = Record::new("bk_1".parse()?, "run".to_owned(), plan, actor);
        record.open();
        Ok(record)
    }

    fn cancel() -> Fact {
        Fact::new(Event::Cancelling { reason: None, keep: None })
            .moving(Trigger::Cancel, Status::Cancelling)
            .by(Actor::new(Role::Customer, "cus_kim"), None)
    }

    #[test]
    fn what_an_act_did_is_a_fact_even_after_a_cancel() -> Result<(), Box<dyn std::error::Error>> {
        let mut record = record()?;
        record.publish(cancel(), Timestamp::UNIX_EPOCH);
        let amount = Money { minor: 9_800, currency: record.plan.service.currency() };
        let paid = Fact::new(Event::PaymentAuthorized { amount })
            .moving(Trigger::Accepted, Status::AwaitingApproval);
        record.publish(paid, Timestamp::UNIX_EPOCH);
        assert_eq!(record.view.status, Status::Cancelling);
        assert_eq!(record.view.payment.status, bellhop_domain::status::PaymentStatus::Authorized);
        assert_eq!(record.unsent().last().and_then(|it| it.change), None);
        Ok(())
    }

    #[test]
    fn a_journal_that_was_set_back_gets_everything_again() -> Result<(), Box<dyn std::error::Error>>
    {
        let mut record = record()?;
        record.publish(Fact::new(Event::PaymentAwaited), Timestamp::UNIX_EPOCH);
        let sent = record.unsent();
        record.journalled(&sent, &Appended { last_seq: 1, more: vec![] });
        assert!(!record.wants_publisher());
        record.publish(cancel(), Timestamp::UNIX_EPOCH);
        let sent = record.unsent();
        record.journalled(&sent, &Appended { last_seq: 1, more: vec![] });
        assert_eq!(record.unsent().len(), 2, "the journal should have two");
        Ok(())
    }

    #[test]
    fn what_a_lost_life_decided_is_taken_in() -> Result<(), Box<dyn std::error::Error>> {
        let mut record = record()?;
        let cancelling = NewEvent::new(Event::Cancelling { reason: None, keep: None }, 1)
            .by(Actor::new(Role::Customer, "cus_kim"))
            .moving(Trigger::Cancel, Status::Cancelling);
        let more =
            vec![StoredEvent { seq: 1, at: Timestamp::UNIX_EPOCH, event: cancelling.clone() }];
        record.journalled(&[], &Appended { last_seq: 1, more: more.clone() });
        assert_eq!(record.view.status, Status::Cancelling);
        record.learn(&more);
        assert_eq!(
            (record.known(), record.unsent().len()),
            (1, 0),
            "known once, and not sent back"
        );
        Ok(())
    }

    #[test]
    fn what_a_lost_life_did_is_not_said_again() -> Result<(), Box<dyn std::error::Error>> {
        let mut record = record()?;
        let amount = Money { minor: 9_800, currency: record.plan.service.currency() };
        let captured = || Event::PaymentCaptured { amount };
        let at = Timestamp::UNIX_EPOCH;
        record.learn(&[StoredEvent { seq: 1, at, event: NewEvent::new(captured(), 1) }]);
        record.publish(Fact::new(captured()), at);
        assert_eq!((record.known(), record.unsent().len()), (1, 0));
        record.publish(Fact::new(captured()), at);
        let unsent: Vec<_> = record.unsent().into_iter().map(|it| it.key).collect();
        assert_eq!(unsent, ["payment.captured/2"], "the second time, it is another");
        Ok(())
    }

    #[test]
    fn a_run_that_found_its_booking_taken_publishes_nothing()
    -> Result<(), Box<dyn std::error::Error>> {
        let mut record = record()?;
        record.publish(cancel(), Timestamp::UNIX_EPOCH);
        record.abandon();
        assert!(record.unsent().is_empty() && record.wants_publisher(), "the publisher may end");
        Ok(())
    }
}
