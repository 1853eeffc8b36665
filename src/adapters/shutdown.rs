//! Whether the job was told to end: a workflow that is cancelled interrupts its steps, and
//! ends them some seconds later. What is known by then is reported.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static TOLD: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Listens from now on. Who is told twice ends at once.
pub fn install() {
    let _ = TOLD.get_or_init(|| {
        let told = Arc::new(AtomicBool::new(false));
        for kind in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // In this order: the second time the flag is there already.
            let _ = signal_hook::flag::register_conditional_shutdown(kind, 128 + kind, Arc::clone(&told));
            let _ = signal_hook::flag::register(kind, Arc::clone(&told));
        }
        told
    });
}

/// Whether we were told.
#[must_use]
pub fn requested() -> bool {
    TOLD.get().is_some_and(|told| told.load(Ordering::Relaxed))
}

/// Waits until we are.
pub async fn told() {
    while !requested() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
