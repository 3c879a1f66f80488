//! The coordinator from outside: HTTP on a real listener, real Git repositories, agents that speak the protocol.

mod http;
