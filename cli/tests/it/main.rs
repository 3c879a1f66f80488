//! Drover as its users meet it: the real binary, real Git, a real engine, a real browser. Every story ends by looking
//! that nothing is left in the engine.

mod browser;
mod death;
mod here;
mod push;
mod stage;
