//! The approval of a booking: a manager decides in time, or the time decides (call-taxi 4).

use bellhop_domain::{
    event::Event,
    policy,
    service::WhenLapsed,
    status::{Status, Trigger},
};
use futures::{FutureExt, pin_mut};
use temporalio_workflow::{CancellableFuture, select};

use crate::{booking::End, record::Fact, saga::Saga};

/// Waits for the manager's decision, a cancel, or the deadline.
pub(crate) async fn decision(booking: &Saga) -> Result<(), End> {
    let plan = booking.plan();
    let Some(approval) = &plan.service.approval else { return Ok(()) };
    let mut deadline = booking.timer(approval.deadline.duration(), "approval deadline");
    let decided = booking.wait(|record| record.view.status != Status::AwaitingApproval).fuse();
    pin_mut!(decided);
    let lapsed = select! {
        () = decided => { deadline.cancel(); false }
        _ = deadline => true,
    };
    if lapsed {
        // A life of this workflow that was lost may have heard a decision: it counts.
        booking.look_at_journal().await;
        if booking.status() == Status::AwaitingApproval {
            let next = match approval.when_lapsed {
                WhenLapsed::Decline => Status::Rejected,
                WhenLapsed::Approve => policy::approved_as(&plan.service),
            };
            booking.publish(Fact::new(Event::ApprovalLapsed).moving(Trigger::Lapse, next));
        }
    }
    booking.stop_if_moved()
}
