//! Tests of the agent against a real container engine. Each makes everything under a label of its own and asserts
//! that nothing with that label is left.

mod attempts;
mod checkout;
mod stage;
