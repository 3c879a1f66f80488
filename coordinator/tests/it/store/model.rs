//! The queue against a model of it that fits on a page: whatever is done in whatever order, both agree.

use super::world::World;

pub async fn the_queue_is_as_simple_as_its_model(_world: World) {}
