//! Many texts read by several threads.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// From so many items on, several threads work on them.
const MANY: usize = 32;

/// What becomes of each item, in their order. `stack`: the bytes that the stack of a thread needs.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], stack: usize, one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    if threads == 1 || items.len() < MANY {
        return items.iter().map(one).collect();
    }
    let one = &one;
    thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads)).map(|part| {
            let work = move || part.iter().map(one).collect::<Vec<R>>();
            let thread = thread::Builder::new().stack_size(stack).spawn_scoped(scope, work);
            thread.expect("the system has room for a thread")
        });
        let running: Vec<_> = parts.collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    })
}
