//! YAML with places: text -> a small tree in which every key and every value knows its bytes. The only module that
//! knows the YAML library; everything after it works on [`Node`]s. Built from the parser's events rather than by
//! serde, because one reading must find all errors and each must point at its own bytes.

mod documents;
mod node;
mod scalar;
mod syntax;
mod tabs;
mod tree;

pub use documents::documents;
pub(crate) use node::Merge;
pub use node::{Entry, Key, Node, Value};
pub use scalar::{Plain, Scalar};
pub(crate) use tree::{read, read_compose};
