//! Histories of the past on today's workflows, and how many events a history may have.

#[path = "replay/budgets.rs"]
mod budgets;
#[path = "replay/histories.rs"]
mod histories;
