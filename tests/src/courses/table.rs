//! Every course.

use super::{Course, Request, Setting, Step, Step::*};
use crate::faults::Fault::{LateAnswer, Refuse as Refused};

const KIM: &str = "dev-customer";
const OPERATOR: &str = "dev-operator";

const NEAR: Step = Staff("drivers", 100.0);
const FAR: Step = Staff("drivers", 200.0);
const CLEANER: Step = Staff("cleaners", 100.0);

type Budget = &'static [(&'static str, usize)];

const fn of(
    name: &'static str,
    request: Request,
    steps: &'static [Step],
    budget: Budget,
) -> Course {
    Course { name, setting: Setting::Plain, request, steps, budget }
}

const fn taxi(token: &'static str) -> Request {
    Request::Taxi { service: "call-taxi", token }
}

const fn taxi_of(service: &'static str) -> Request {
    Request::Taxi { service, token: "tok_ok" }
}

impl Course {
    const fn in_setting(mut self, setting: Setting) -> Self {
        self.setting = setting;
        self
    }
}

/// Every course; those of a service stand together.
pub const ALL: &[Course] = &[
    // Approved, and through every stage.
    of(
        "completed",
        taxi("tok_ok"),
        TAXI_STAGES,
        &[
            ("awaiting_approval", 8),
            ("confirmed", 18),
            ("on_the_way", 24),
            ("riding", 30),
            ("completed", 39),
        ],
    ),
    of(
        "cancelled_confirmed",
        taxi("tok_ok"),
        &[Book, Approve, Cancel(KIM)],
        &[("awaiting_approval", 8), ("confirmed", 18), ("cancelled", 29)],
    ),
    of(
        "cancelled_awaiting_approval",
        taxi("tok_ok"),
        &[Book, Cancel(KIM)],
        &[("awaiting_approval", 8), ("cancelled", 20)],
    ),
    // By an operator: for the customer it is too late.
    of(
        "cancelled_in_progress",
        taxi("tok_ok"),
        &[Book, Approve, Advance("on_the_way"), Cancel(OPERATOR)],
        &[("awaiting_approval", 8), ("confirmed", 18), ("on_the_way", 24), ("cancelled", 35)],
    ),
    of(
        "cancelled_in_temporal",
        taxi("tok_ok"),
        &[Book, CancelInTemporal],
        &[("awaiting_approval", 8), ("cancelled", 19)],
    ),
    of("declined", taxi("tok_ok"), &[Book, Decline], &[("awaiting_approval", 8), ("rejected", 20)]),
    of("sold_out", Request::NoTaxi, &[Book], &[("rejected", 8)]),
    of("payment_declined", taxi("tok_declined"), &[Book], &[("rejected", 11)]),
    // The provider charges and does not say so at first.
    of(
        "payment_late",
        taxi("tok_late"),
        TAXI_STAGES,
        &[
            ("awaiting_approval", 19),
            ("confirmed", 29),
            ("on_the_way", 35),
            ("riding", 41),
            ("completed", 50),
        ],
    ),
    // Nobody decides in time.
    of("lapsed", taxi_of("hasty-taxi"), &[Book], &[("awaiting_approval", 8), ("rejected", 19)]),
    of(
        "lapsed_approved",
        taxi_of("lenient-taxi"),
        &[Book, Until("confirmed"), Cancel(KIM)],
        &[("awaiting_approval", 8), ("confirmed", 17), ("cancelled", 28)],
    ),
    // The payment does not come before the hold runs out.
    of(
        "expired",
        taxi_of("brief-taxi"),
        &[Provider("unavailable"), Call(&["expired"]), Provider("ok")],
        &[("expired", 21)],
    )
    .in_setting(Setting::Away),
    // While the payment is tried again and again.
    of(
        "cancelled_awaiting_payment",
        taxi("tok_ok"),
        &[
            Provider("unavailable"),
            Call(&["awaiting_payment"]),
            RetryWaits,
            BeginCancel,
            Provider("ok"),
        ],
        &[("cancelled", 23)],
    )
    .in_setting(Setting::Away),
    // The payment is on its way when the booking is cancelled, and what undoes it fails inline.
    of(
        "settled_on_queue",
        taxi("tok_ok"),
        &[
            Fault("payments.authorize", Refused, 2),
            Fault("payments.settle", Refused, 1),
            Call(&["awaiting_payment"]),
            RetryWaits,
            Fault("payments.authorize", LateAnswer, 1),
            Held("payments.authorize"),
            BeginCancel,
            Until("cancelled"),
            LetGo("payments.authorize"),
        ],
        &[("cancelled", 32)],
    ),
    // The payment comes in the moment in which the workflow ends: the engine has its task done again.
    of(
        "task_failed",
        taxi("tok_ok"),
        &[
            Fault("payments.authorize", Refused, 2),
            Fault("bookings.release", LateAnswer, 1),
            Call(&["awaiting_payment"]),
            RetryWaits,
            Fault("payments.authorize", LateAnswer, 1),
            Held("payments.authorize"),
            BeginCancel,
            Held("bookings.release"),
            LetGo("payments.authorize"),
            NoneWaits,
            LetGo("bookings.release"),
        ],
        &[("cancelled", 25)],
    ),
    // Every payment on its queue, and every act.
    of(
        "payments_queue",
        taxi("tok_ok"),
        TAXI_STAGES,
        &[
            ("awaiting_approval", 18),
            ("confirmed", 35),
            ("on_the_way", 41),
            ("riding", 47),
            ("completed", 56),
        ],
    )
    .in_setting(Setting::Inline("dispatch")),
    of(
        "queues",
        taxi("tok_ok"),
        TAXI_STAGES,
        &[
            ("awaiting_approval", 18),
            ("confirmed", 42),
            ("on_the_way", 48),
            ("riding", 54),
            ("completed", 63),
        ],
    )
    .in_setting(Setting::Inline("")),
    // A driver is near, and drives.
    of(
        "driver_completed",
        DRIVER,
        DRIVER_STAGES,
        &[("confirmed", 6), ("on_the_way", 12), ("driving", 18), ("completed", 26)],
    ),
    of(
        "driver_cancelled_confirmed",
        DRIVER,
        &[NEAR, Book, Cancel(KIM)],
        &[("confirmed", 6), ("cancelled", 15)],
    ),
    of(
        "driver_cancelled_dispatching",
        DRIVER,
        &[Book, Cancel(KIM)],
        &[("dispatching", 7), ("cancelled", 17)],
    ),
    // Who was assigned does not come, and the next does.
    of(
        "driver_replaced",
        DRIVER,
        &[NEAR, FAR, Book, Refuse(0), Cancel(KIM)],
        &[("confirmed", 6), ("confirmed", 13), ("cancelled", 22)],
    ),
    of(
        "driver_unfulfilled",
        Request::Driver("brief-driver"),
        &[Call(&["dispatching", "unfulfilled"])],
        &[("unfulfilled", 22)],
    ),
    of(
        "offer_accepted",
        ASKING,
        &[NEAR, Book, Accept(0), Cancel(KIM)],
        &[("dispatching", 7), ("confirmed", 14), ("cancelled", 23)],
    ),
    of(
        "offer_declined",
        ASKING,
        &[NEAR, FAR, Book, Refuse(0), Accept(1), Cancel(KIM)],
        &[("dispatching", 7), ("dispatching", 16), ("confirmed", 23), ("cancelled", 32)],
    ),
    of(
        "offer_cancelled",
        ASKING,
        &[NEAR, Book, Cancel(KIM)],
        &[("dispatching", 7), ("cancelled", 17)],
    ),
    // Who is asked first does not answer in time.
    of(
        "offer_lapsed",
        Request::Driver("hurried-driver"),
        &[NEAR, FAR, Call(&["dispatching"]), Asked(1), Accept(1), Cancel(KIM)],
        &[("dispatching", 15), ("confirmed", 22), ("cancelled", 31)],
    ),
    of(
        "driver_queues",
        DRIVER,
        DRIVER_STAGES,
        &[("confirmed", 13), ("on_the_way", 19), ("driving", 25), ("completed", 33)],
    )
    .in_setting(Setting::Inline("")),
    // Charged, and cleaned.
    of(
        "cleaning_completed",
        CLEANING,
        &[CLEANER, Book, Advance("started"), Advance("completed")],
        &[("confirmed", 8), ("started", 14), ("completed", 22)],
    ),
    // Less than a day before: 70 % goes back.
    of(
        "cleaning_cancelled",
        CLEANING,
        &[CLEANER, Book, Cancel(KIM)],
        &[("confirmed", 8), ("cancelled", 19)],
    ),
    // The provider is away for longer than the service waits.
    of(
        "cleaning_unpaid",
        Request::Cleaning("hurried-cleaning"),
        &[Provider("unavailable"), Call(&["rejected"]), Provider("ok")],
        &[("rejected", 20)],
    )
    .in_setting(Setting::Away),
    // Paid up front, made, and picked up.
    of(
        "coffee_completed",
        Request::Coffee(Some("tok_ok")),
        COFFEE_STAGES,
        &[("confirmed", 7), ("making", 15), ("ready", 21), ("completed", 29)],
    ),
    of(
        "coffee_at_the_counter",
        Request::Coffee(None),
        COFFEE_STAGES,
        &[("confirmed", 5), ("making", 13), ("ready", 19), ("completed", 27)],
    ),
    of(
        "coffee_cancelled",
        Request::Coffee(Some("tok_ok")),
        &[Book, Cancel(KIM)],
        &[("confirmed", 7), ("cancelled", 18)],
    ),
    // By an operator: what is made is gone, and the money goes back.
    of(
        "coffee_cancelled_making",
        Request::Coffee(Some("tok_ok")),
        &[Book, Advance("making"), Cancel(OPERATOR)],
        &[("confirmed", 7), ("making", 15), ("cancelled", 26)],
    ),
    // Confirmed by itself, and admitted.
    of("visit_completed", Request::Visit(None), VISIT, &[("confirmed", 6), ("completed", 15)]),
    of("visit_paid", Request::Visit(Some("tok_ok")), VISIT, &[("confirmed", 8), ("completed", 17)]),
    of(
        "visit_cancelled",
        Request::Visit(Some("tok_ok")),
        &[Book, Entry, Cancel(KIM)],
        &[("confirmed", 8), ("cancelled", 19)],
    ),
    of(
        "visit_missed",
        Request::SoonVisit("tok_ok"),
        &[Book, Entry, Miss],
        &[("confirmed", 8), ("no_show", 18)],
    ),
    of(
        "visit_queues",
        Request::Visit(Some("tok_ok")),
        VISIT,
        &[("confirmed", 25), ("completed", 34)],
    )
    .in_setting(Setting::Inline("")),
];

const DRIVER: Request = Request::Driver("designated-driver");
const ASKING: Request = Request::Driver("asking-driver");
const CLEANING: Request = Request::Cleaning("home-cleaning");

const TAXI_STAGES: &[Step] =
    &[Book, Approve, Advance("on_the_way"), Advance("riding"), Advance("completed")];
const DRIVER_STAGES: &[Step] =
    &[NEAR, Book, Advance("on_the_way"), Advance("driving"), Advance("completed")];
const COFFEE_STAGES: &[Step] = &[Book, Advance("making"), Advance("ready"), Advance("completed")];
const VISIT: &[Step] = &[Book, Entry, Advance("completed")];
