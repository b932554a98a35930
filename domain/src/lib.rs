//! The words of Bellhop: ids, money, states, events, services and plans. No I/O and no Temporal, so
//! that workflows, activities, the store and the API all mean the same thing by them.

pub mod act;
pub mod drawing;
pub mod event;
pub mod id;
pub mod key;
pub mod message;
pub mod money;
pub mod phone;
pub mod plan;
pub mod policy;
pub mod service;
pub mod span;
pub mod status;
pub mod text;
pub mod view;
pub mod words;
pub mod zone;
