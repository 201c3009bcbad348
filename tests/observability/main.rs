//! Spans, log lines and metrics. A binary of its own: a subscriber sees only the callsites that no other thread without one
//! has switched off, so each test waits until it is alone.

mod layer;
mod replay;
