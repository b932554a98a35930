//! The states of a booking and the one table of moves between them.

use crate::{event::Role, words::words};

words! {
    /// Where a booking stands. A technical fault is never a state: it raises attention.
    Status {
        /// Taken down (호출), not yet decided.
        Pending = "pending",
        /// Held, and waiting for the payment.
        AwaitingPayment = "awaiting_payment",
        /// Paid for, and waiting for a manager.
        AwaitingApproval = "awaiting_approval",
        /// Somebody or something is being assigned (호출중).
        Dispatching = "dispatching",
        /// It will happen (호출확정).
        Confirmed = "confirmed",
        /// It is happening.
        InProgress = "in_progress",
        /// A cancellation is decided and is being carried out.
        Cancelling = "cancelling",
        /// It happened.
        Completed = "completed",
        /// Cancelled, and undone (호출취소).
        Cancelled = "cancelled",
        /// Refused: sold out, declined, or not paid.
        Rejected = "rejected",
        /// The hold ran out before the payment came.
        Expired = "expired",
        /// The customer did not come.
        NoShow = "no_show",
        /// Accepted, and then could not be served.
        Unfulfilled = "unfulfilled",
    }
}

words! {
    /// How the payment of a booking stands.
    PaymentStatus {
        /// There is no payment, or nothing was paid yet.
        None = "none",
        /// The amount is reserved with the provider.
        Authorized = "authorized",
        /// The amount is charged.
        Captured = "captured",
        /// The reservation was lifted.
        Voided = "voided",
        /// Everything charged was given back.
        Refunded = "refunded",
        /// A part of what was charged or reserved was given back.
        PartRefunded = "part_refunded",
        /// The provider refused.
        Declined = "declined",
        /// The provider was asked and has not told yet.
        Unknown = "unknown",
    }
}

words! {
    /// What moves a booking from one state to the next.
    Trigger {
        /// The payment did not come at once and is waited for.
        PaymentAwaited = "payment_awaited",
        /// Everything that the customer waits for is done.
        Accepted = "accepted",
        /// Refused before it was accepted, or not to be carried out after all.
        Reject = "reject",
        /// The hold ran out.
        Expire = "expire",
        /// A manager says yes.
        Approve = "approve",
        /// A manager says no.
        Decline = "decline",
        /// The time for approval ran out.
        Lapse = "lapse",
        /// Somebody or something is assigned.
        Assign = "assign",
        /// Who was assigned does not come after all: another is sought.
        Unassign = "unassign",
        /// Nobody and nothing can be assigned.
        GiveUp = "give_up",
        /// The next stage is reached.
        Advance = "advance",
        /// The last stage is over.
        Complete = "complete",
        /// The customer did not come.
        Miss = "miss",
        /// Somebody cancels.
        Cancel = "cancel",
        /// What a cancellation had to undo is undone.
        Undone = "undone",
    }
}

/// One move of the table.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The states that it may begin in.
    pub from: &'static [Status],
    /// What causes it.
    pub trigger: Trigger,
    /// Who may cause it.
    pub who: &'static [Role],
    /// The states that it may lead to; the plan decides which.
    pub to: &'static [Status],
}

use Role::{Customer, Driver, Manager, Operator, System};
use Status::*;

/// Every move there is. What is not here does not happen: the workflow refuses the command, and the
/// journal keeps the event, raises attention and leaves the view as it was.
pub const MOVES: &[Move] = &[
    Move {
        from: &[Pending],
        trigger: Trigger::PaymentAwaited,
        who: &[System],
        to: &[AwaitingPayment],
    },
    Move {
        from: &[Pending, AwaitingPayment],
        trigger: Trigger::Accepted,
        who: &[System],
        to: &[AwaitingApproval, Dispatching, Confirmed],
    },
    Move {
        from: &[Pending, AwaitingPayment, AwaitingApproval, Dispatching],
        trigger: Trigger::Reject,
        who: &[System],
        to: &[Rejected],
    },
    Move {
        from: &[Pending, AwaitingPayment],
        trigger: Trigger::Expire,
        who: &[System],
        to: &[Expired],
    },
    Move {
        from: &[AwaitingApproval],
        trigger: Trigger::Approve,
        who: &[Manager, Operator],
        to: &[Dispatching, Confirmed],
    },
    Move {
        from: &[AwaitingApproval],
        trigger: Trigger::Decline,
        who: &[Manager, Operator],
        to: &[Rejected],
    },
    Move {
        from: &[AwaitingApproval],
        trigger: Trigger::Lapse,
        who: &[System],
        to: &[Rejected, Dispatching, Confirmed],
    },
    Move {
        from: &[Dispatching],
        trigger: Trigger::Assign,
        who: &[System, Driver, Operator], // who was asked accepts
        to: &[Confirmed],
    },
    Move {
        from: &[Confirmed],
        trigger: Trigger::Unassign,
        who: &[Driver, Operator],
        to: &[Dispatching],
    },
    Move {
        from: &[Dispatching, Confirmed],
        trigger: Trigger::GiveUp,
        who: &[System],
        to: &[Unfulfilled],
    },
    Move {
        from: &[Confirmed, InProgress],
        trigger: Trigger::Advance,
        who: &[Driver, Manager, Operator],
        to: &[InProgress],
    },
    Move {
        from: &[Confirmed, InProgress],
        trigger: Trigger::Complete,
        who: &[Driver, Manager, Operator, System], // a service without stages completes by itself
        to: &[Completed],
    },
    Move {
        from: &[Confirmed],
        trigger: Trigger::Miss,
        who: &[Driver, Manager, Operator],
        to: &[NoShow],
    },
    Move {
        from: &[Pending, AwaitingPayment, AwaitingApproval, Dispatching, Confirmed, InProgress],
        trigger: Trigger::Cancel,
        who: &[Customer, Manager, Operator],
        to: &[Cancelling],
    },
    Move { from: &[Cancelling], trigger: Trigger::Undone, who: &[System], to: &[Cancelled] },
];

/// Whether the table has this move.
pub fn may_move(from: Status, trigger: Trigger, who: Role, to: Status) -> bool {
    row(from, trigger, who).is_some_and(|row| row.to.contains(&to))
}

/// Whether `who` may cause `trigger` in the state `from`.
pub fn may(from: Status, trigger: Trigger, who: Role) -> bool {
    row(from, trigger, who).is_some()
}

fn row(from: Status, trigger: Trigger, who: Role) -> Option<&'static Move> {
    MOVES
        .iter()
        .find(|row| row.trigger == trigger && row.from.contains(&from) && row.who.contains(&who))
}

impl PaymentStatus {
    /// Whether something was given back: the last word on a payment.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Voided | Self::Refunded | Self::PartRefunded)
    }
}

impl Status {
    /// Whether nothing follows any more.
    pub const fn is_end(self) -> bool {
        matches!(self, Completed | Cancelled | Rejected | Expired | NoShow | Unfulfilled)
    }

    /// Whether the booking has ended, or is being undone: nothing more is begun for it.
    pub const fn is_over(self) -> bool {
        self.is_end() || self.is_undone()
    }

    /// Whether the customer who books has the answer that they wait for.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Pending | AwaitingPayment)
    }

    /// Whether the booking ends without having been served, so that its phases are undone.
    pub const fn is_undone(self) -> bool {
        matches!(self, Cancelling | Cancelled | Rejected | Expired | Unfulfilled)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status() -> impl Strategy<Value = Status> {
        proptest::sample::select(Status::ALL)
    }

    proptest! {
        #[test]
        fn nothing_leaves_an_end(
            from in status(),
            trigger in proptest::sample::select(Trigger::ALL),
            who in proptest::sample::select(Role::ALL),
            to in status(),
        ) {
            if from.is_end() {
                prop_assert!(!may_move(from, trigger, who, to));
            }
        }

        /// Walks at random through the table: every walk can still reach an end, and a late
        /// confirmation never undoes a cancellation.
        #[test]
        fn every_walk_can_end(steps in proptest::collection::vec(any::<prop::sample::Index>(), 0..40)) {
            let mut at = Pending;
            let mut cancelled = false;
            for step in steps {
                let moves = moves_from(at);
                if moves.is_empty() {
                    break;
                }
                at = moves[step.index(moves.len())];
                cancelled |= at == Cancelling;
                prop_assert!(!cancelled || matches!(at, Cancelling | Cancelled), "{at}");
            }
            prop_assert!(reaches_an_end(at), "{at} is a dead end");
        }
    }

    fn moves_from(from: Status) -> Vec<Status> {
        let rows = MOVES.iter().filter(|row| row.from.contains(&from));
        rows.flat_map(|row| row.to).copied().collect()
    }

    fn reaches_an_end(from: Status) -> bool {
        let (mut seen, mut next) = (vec![], vec![from]);
        while let Some(at) = next.pop() {
            if at.is_end() {
                return true;
            }
            if !seen.contains(&at) {
                seen.push(at);
                next.extend(moves_from(at));
            }
        }
        false
    }

    #[test]
    fn only_those_named_may_move_a_booking() {
        assert!(may(AwaitingApproval, Trigger::Approve, Manager));
        assert!(!may(AwaitingApproval, Trigger::Approve, Customer), "a customer approves nothing");
        assert!(!may(AwaitingApproval, Trigger::Approve, System), "no step confirms itself");
        assert!(!may(Confirmed, Trigger::Advance, Customer));
    }

    #[test]
    fn words_are_read_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
    }
}
