//! A sync over HTTP while people edit both sides: the real listener, feed and worker against both sandboxes.
//!
//! Many pairs of records live in one world, each with a random script of its own, so that thousands of interleavings share
//! their calls. A model says what each pair must come to, and how many writes each record may get.

#[path = "interleavings/counting.rs"]
mod counting;
#[path = "interleavings/echoes.rs"]
mod echoes;
#[path = "sandboxes/listener.rs"]
mod listener;
#[path = "interleavings/model.rs"]
mod model;
mod sandboxes;
#[path = "interleavings/scripts.rs"]
mod scripts;
#[path = "interleavings/world.rs"]
mod world;
