//! The courses that a booking can take, driven from outside: of every service one that is served and
//! one that is undone, and together every activity that there is.

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{Answer, booking_id},
    faults::Fault,
    stack::eventually,
};
use serde_json::{Value, json};

use crate::{
    end::{End, hears, told},
    ground::{Ground, Trade},
    users::Users,
};

/// A way that a booking goes, with its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Course {
    /// What tells it from all others.
    name: &'static str,
    pub(crate) trade: Trade,
    pub(crate) service: &'static str,
    /// How many people are there who could serve it.
    people: u32,
    /// What the customer may hear at first: the HTTP status, and the booking's, or a word of the
    /// problem.
    booked: &'static [(u16, &'static str)],
    /// What happens to it then.
    steps: &'static [Step],
    /// How it ends.
    pub(crate) end: End,
    /// How many of its pool it uses up.
    pub(crate) used: u32,
    /// How its confirmation of entry stands at the end.
    confirmation: Option<&'static str>,
    /// What those are told who serve it, or are asked to, sorted.
    staff: &'static [&'static str],
}

/// What somebody does about a booking, or what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The manager approves.
    Approve,
    /// The manager declines.
    Decline,
    /// The customer cancels.
    Cancel,
    /// Who serves it reaches a stage.
    Advance(&'static str),
    /// It is confirmed by itself.
    Confirmed,
    /// Its confirmation of entry is issued.
    Issued,
    /// Who is asked first declines.
    Refuse,
    /// Who is asked next accepts.
    Accept,
}

use Step::{Accept, Advance, Approve, Cancel, Confirmed, Decline, Issued, Refuse};

const fn end(status: &'static str, payment: &'static str, captured: i64, refunded: i64) -> End {
    End { status, payment, captured, refunded }
}

/// Taxis: approved by the manager, and back in their pool at the end.
impl Course {
    const TAXI: Self = Self {
        name: "taxi",
        trade: Trade::Taxi,
        service: "call-taxi",
        people: 0,
        booked: &[(201, "awaiting_approval")],
        steps: &[],
        end: end("rejected", "voided", 0, 0),
        used: 0,
        confirmation: None,
        staff: &[],
    };
    /// Approved, driven through every stage.
    pub(crate) const COMPLETED: Self = Self {
        name: "taxi completed",
        steps: &[Approve, Advance("on_the_way"), Advance("riding"), Advance("completed")],
        end: end("completed", "captured", 9_800, 0),
        ..Self::TAXI
    };
    /// Cancelled by the customer after the confirmation.
    pub(crate) const CANCELLED: Self = Self {
        name: "taxi cancelled",
        steps: &[Approve, Cancel],
        end: end("cancelled", "refunded", 9_800, 9_800),
        ..Self::TAXI
    };
    /// Declined by the manager.
    pub(crate) const DECLINED: Self =
        Self { name: "taxi declined", steps: &[Decline], ..Self::TAXI };
    /// The manager says nothing: maybe it has lapsed before the customer hears of it.
    const LAPSED: Self = Self {
        name: "taxi lapsed",
        service: "taxi-lapsing",
        booked: &[(201, "awaiting_approval"), (409, "")],
        ..Self::TAXI
    };
    /// Payments are down until the hold runs out.
    const EXPIRED: Self = Self {
        name: "taxi expired",
        service: "taxi-expiring",
        booked: &[(409, "expired")],
        end: end("expired", "none", 0, 0),
        ..Self::TAXI
    };
}

/// Designated drivers: nothing is paid here, and those who drive are told, too.
impl Course {
    const DRIVER: Self = Self {
        name: "driver",
        trade: Trade::Driver,
        service: "designated-driver",
        people: 1,
        booked: &[(201, "dispatching"), (201, "confirmed")],
        end: end("completed", "none", 0, 0),
        ..Self::TAXI
    };
    /// The nearest drives.
    const DRIVEN: Self = Self {
        name: "driver completed",
        steps: &[Confirmed, Advance("on_the_way"), Advance("driving"), Advance("completed")],
        staff: &["staff_assigned"],
        ..Self::DRIVER
    };
    /// Cancelled by the customer when a driver is assigned.
    pub(crate) const CALLED_OFF: Self = Self {
        name: "driver cancelled",
        steps: &[Confirmed, Cancel],
        end: end("cancelled", "none", 0, 0),
        staff: &["staff_assigned", "staff_released"],
        ..Self::DRIVER
    };
    /// The nearest is asked and declines; the next one accepts, and drives.
    const ASKED: Self = Self {
        name: "driver asked",
        service: "driver-asking",
        people: 2,
        steps: &[Refuse, Accept, Advance("on_the_way"), Advance("driving"), Advance("completed")],
        staff: &["staff_assigned", "staff_offered", "staff_offered"],
        ..Self::DRIVER
    };
    /// The only one who could drive is asked, and says nothing.
    const UNANSWERED: Self = Self {
        name: "driver unanswered",
        service: "driver-hurried",
        booked: &[(201, "dispatching"), (201, "unfulfilled"), (409, "")],
        end: end("unfulfilled", "none", 0, 0),
        staff: &["staff_offered"],
        ..Self::DRIVER
    };
}

/// Exhibitions: paid and confirmed at once; a confirmation of entry follows.
impl Course {
    const VISIT: Self = Self {
        name: "visit",
        trade: Trade::Visit,
        service: "exhibition",
        booked: &[(201, "confirmed")],
        ..Self::TAXI
    };
    /// The visitor is admitted.
    const ADMITTED: Self = Self {
        name: "visit completed",
        steps: &[Issued, Advance("completed")],
        end: end("completed", "captured", 12_000, 0),
        used: 1,
        confirmation: Some("issued"),
        ..Self::VISIT
    };
    /// Cancelled by the visitor, long before.
    pub(crate) const UNVISITED: Self = Self {
        name: "visit cancelled",
        steps: &[Issued, Cancel],
        end: end("cancelled", "refunded", 12_000, 12_000),
        confirmation: Some("cancelled"),
        ..Self::VISIT
    };
}

/// Cleanings: charged at once, then the nearest cleaner is assigned.
impl Course {
    const CLEANING: Self = Self {
        name: "cleaning",
        trade: Trade::Cleaning,
        service: "home-cleaning",
        people: 1,
        booked: &[(201, "dispatching"), (201, "confirmed")],
        ..Self::TAXI
    };
    /// The nearest cleans.
    const CLEANED: Self = Self {
        name: "cleaning completed",
        steps: &[Confirmed, Advance("started"), Advance("completed")],
        end: end("completed", "captured", 60_000, 0),
        staff: &["staff_assigned"],
        ..Self::CLEANING
    };
    /// Cancelled by the customer when a cleaner is assigned.
    const UNCLEANED: Self = Self {
        name: "cleaning cancelled",
        steps: &[Confirmed, Cancel],
        end: end("cancelled", "refunded", 60_000, 60_000),
        staff: &["staff_assigned", "staff_released"],
        ..Self::CLEANING
    };
    /// Nobody is near: all of the money goes back.
    const UNSERVED: Self = Self {
        name: "cleaning unserved",
        service: "cleaning-alone",
        people: 0,
        booked: &[(201, "dispatching"), (201, "unfulfilled"), (409, "")],
        end: end("unfulfilled", "refunded", 60_000, 60_000),
        ..Self::CLEANING
    };
}

/// Coffees: paid at once, and used up once they are made.
impl Course {
    const COFFEE: Self = Self {
        name: "coffee",
        trade: Trade::Coffee,
        service: "coffee",
        booked: &[(201, "confirmed")],
        ..Self::TAXI
    };
    /// Made and picked up.
    const PICKED_UP: Self = Self {
        name: "coffee completed",
        steps: &[Advance("making"), Advance("ready"), Advance("completed")],
        end: end("completed", "captured", 4_500, 0),
        used: 1,
        ..Self::COFFEE
    };
    /// Cancelled by the customer before it is made.
    const UNMADE: Self = Self {
        name: "coffee cancelled",
        steps: &[Cancel],
        end: end("cancelled", "refunded", 4_500, 4_500),
        ..Self::COFFEE
    };
}

/// What a refused activity of payments outlasts any hold.
const FOR_EVER: u32 = 100_000;

impl Course {
    /// All of them; what is swept on one course only is swept on the first that has it.
    pub(crate) const ALL: [Self; 16] = [
        Self::COMPLETED,
        Self::CANCELLED,
        Self::DECLINED,
        Self::LAPSED,
        Self::EXPIRED,
        Self::DRIVEN,
        Self::CALLED_OFF,
        Self::ASKED,
        Self::UNANSWERED,
        Self::ADMITTED,
        Self::UNVISITED,
        Self::CLEANED,
        Self::UNCLEANED,
        Self::UNSERVED,
        Self::PICKED_UP,
        Self::UNMADE,
    ];

    /// Ground for a booking that goes it, under `key`.
    pub(crate) fn ground(self, key: &str) -> Ground {
        Ground::new(self.trade, key, self.people)
    }

    /// Whether nobody is found who serves it.
    pub(crate) fn finds_nobody(self) -> bool {
        self.end.status == "unfulfilled"
    }

    /// Whether nobody is there who could serve it.
    pub(crate) fn has_nobody(self) -> bool {
        self.people == 0
    }

    /// The activity that this course itself puts a fault to.
    pub(crate) fn occupies(self) -> Option<&'static str> {
        (self == Self::EXPIRED).then_some("payments.authorize")
    }

    /// Goes it, under keys made of `key`, with users who do not give up; each hears what they must.
    pub(crate) async fn run(
        self,
        users: &Users,
        key: &str,
        request: Value,
    ) -> anyhow::Result<String> {
        let id = booking_id(key)?;
        if let Some(activity) = self.occupies() {
            users.access().faults().put(&id, activity, Fault::Refuse, FOR_EVER)?;
        }
        let booked = users.post("dev-customer", "/bookings", key, request).await?;
        let problem = booked.body["detail"].as_str();
        let said = booked.body["status"].as_str().or(problem).unwrap_or_default();
        let hears = |(status, word): &(u16, &str)| booked.status == *status && said.contains(word);
        ensure!(self.booked.iter().any(hears), "{:?} expected: {booked:?}", self.booked);
        for step in self.steps {
            step.take(users, &id, key).await.with_context(|| format!("{step:?}"))?;
        }
        Ok(id)
    }

    /// Waits until a booking has ended, and judges it: its state, its money here and at the
    /// provider, its workflow, its messages, and what it has used up. Answers what was told.
    pub(crate) async fn check(
        self,
        users: &Users,
        ground: &Ground,
        id: &str,
    ) -> anyhow::Result<Vec<String>> {
        let told = self.check_alone(users, id).await?;
        ground.is_used(users, self.used).await?;
        Ok(told)
    }

    /// The same, but for what it has used up: its ground is others' as well.
    pub(crate) async fn check_alone(self, users: &Users, id: &str) -> anyhow::Result<Vec<String>> {
        self.end.check(users, id).await?;
        let booking = users.get("dev-operator", &format!("/bookings/{id}")).await?.body;
        let confirmation = booking["confirmation"]["status"].as_str();
        ensure!(confirmation == self.confirmation, "{:?} expected: {booking:#}", self.confirmation);
        let told = told(users, id).await?;
        let staff = told.iter().filter_map(|it| it.strip_prefix("staff sms "));
        ensure!(staff.eq(self.staff.iter().copied()), "{:?} expected: {told:#?}", self.staff);
        Ok(told)
    }
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Step {
    async fn take(self, users: &Users, id: &str, key: &str) -> anyhow::Result<()> {
        let booking = format!("/bookings/{id}");
        let post = async |token: &str, path: &str, body: Value| -> anyhow::Result<Answer> {
            let step = body["to"].as_str().map_or_else(|| format!("{self:?}"), str::to_owned);
            users.post(token, path, &format!("{key}-{step}"), body).await
        };
        let (answer, status) = match self {
            Approve => {
                let path = format!("/approvals/{id}/approve");
                (post("dev-manager", &path, json!({})).await?, "confirmed")
            }
            Decline => {
                let path = format!("/approvals/{id}/decline");
                (post("dev-manager", &path, json!({})).await?, "rejected")
            }
            Cancel => {
                let path = format!("{booking}/cancel");
                (post("dev-customer", &path, json!({})).await?, "cancelled")
            }
            Advance(to) => {
                let status = if to == "completed" { to } else { "in_progress" };
                let path = format!("{booking}/advance");
                (post("dev-manager", &path, json!({ "to": to })).await?, status)
            }
            Refuse => {
                let offer = offer_after(users, id, 0).await?;
                let path = format!("/offers/{offer}/decline");
                (post("dev-operator", &path, json!({})).await?, "dispatching")
            }
            Accept => {
                let offer = offer_after(users, id, 1).await?;
                let path = format!("/offers/{offer}/accept");
                (post("dev-operator", &path, json!({})).await?, "confirmed")
            }
            Confirmed => return until(users, id, "/status", "confirmed").await,
            Issued => return until(users, id, "/confirmation/status", "issued").await,
        };
        hears(&answer, 200, status, "/status")
    }
}

/// Waits until a booking has a word at a place.
async fn until(users: &Users, id: &str, at: &str, word: &str) -> anyhow::Result<()> {
    eventually(&format!("{at} of {id} is {word}"), async || {
        let booking = users.get("dev-operator", &format!("/bookings/{id}")).await?.body;
        Ok((booking.pointer(at) == Some(&json!(word))).then_some(()))
    })
    .await
}

/// Waits until somebody is asked when so many have declined; answers the offer's id.
async fn offer_after(users: &Users, id: &str, declined: usize) -> anyhow::Result<String> {
    eventually(&format!("somebody is asked about {id}"), async || {
        let events = users.events(id).await?;
        let made = events.iter().filter(|it| *it == "offer.made").count();
        let booking = users.get("dev-operator", &format!("/bookings/{id}")).await?.body;
        let offer = booking["offer"]["id"].as_str().map(str::to_owned);
        Ok(offer.filter(|_| made == declined + 1))
    })
    .await
}
