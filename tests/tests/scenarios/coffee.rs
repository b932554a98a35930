//! Coffee: ordered, held from the stock, made, picked up.

mod making;
mod orders;
mod products;
