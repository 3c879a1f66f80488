//! YAML with places: text -> a small tree in which every key and every value knows its bytes. The only module that
//! knows the YAML library; everything after it works on [`Node`]s. Built from the parser's events rather than by
//! serde, because one reading must find all errors and each must point at its own bytes.

mod node;
mod scalar;
mod syntax;
mod tabs;
mod tree;

pub(crate) use node::{Entry, Key, Merge, Node, Value};
pub(crate) use scalar::{Plain, Scalar};
pub(crate) use tree::{read, read_compose};
