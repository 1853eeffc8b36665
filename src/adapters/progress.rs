//! A progress bar on standard error, where someone watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::adapters::system::is_watched;

/// A bar over `total` bytes, or steps.
#[must_use]
pub fn bar(total: u64, what: &'static str, bytes: bool) -> ProgressBar {
    // Less than this is over before it is seen.
    let worth_it = if bytes { total > 20_000_000 } else { total > 5 };
    if !is_watched() || !worth_it {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = if bytes {
        "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{msg} [{bar:30}] {pos}/{len} {eta}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A clock that begins now and counts seconds.
pub fn clock() -> impl Fn() -> f64 {
    let begun = std::time::Instant::now();
    move || begun.elapsed().as_secs_f64()
}
