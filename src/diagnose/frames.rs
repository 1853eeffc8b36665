//! Stack frames of a failure that belong to the project.

use crate::ingest::source_location::{is_foreign, is_test_path, places};

/// Packages whose frames say nothing about the project, by the start of a
/// frame's function (Java, Kotlin, JavaScript, Go, Rust).
const FOREIGN_FUNCTIONS: &[&str] = &[
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.junit.",
    "junit.",
    "org.testng.",
    "org.assertj.",
    "org.hamcrest.",
    "org.mockito.",
    "org.apache.maven.",
    "org.gradle.",
    "org.springframework.",
    "org.opentest4j.",
    "kotlin.",
    "scala.",
    "io.netty.",
    "reactor.",
    "groovy.",
    "org.codehaus.groovy.",
    "testing.",
    "runtime.",
    "reflect.",
    "std::",
    "core::",
    "alloc::",
    "tokio::",
    "test::",
    "rust_begin_unwind",
    "__rust",
    "Object.<anonymous>",
    "process.processTicksAndRejections",
    "Module._compile",
    "new Promise",
];

/// One frame in the project's own code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The path's last two components.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Whether it is test code.
    pub in_test: bool,
}

/// The project's own frames in `detail`, innermost first, at most `limit`.
#[must_use]
pub fn own_frames(detail: &str, limit: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in detail.lines().take(400) {
        if is_foreign_line(line) {
            continue;
        }
        for (file, number) in places(line, 2) {
            if !is_foreign(&file) {
                let frame = Frame { in_test: is_test_path(&file), file: short(&file), line: number };
                if frames.last() != Some(&frame) {
                    frames.push(frame);
                }
            }
        }
        if frames.len() >= 64 {
            break;
        }
    }
    // Python prints the innermost frame last.
    if frames.iter().any(|f| f.file.ends_with(".py")) {
        frames.reverse();
    }
    frames.truncate(limit);
    frames
}

fn is_foreign_line(line: &str) -> bool {
    let line = line.trim_start();
    let function = line.strip_prefix("at ").unwrap_or(line);
    let function = function
        .split_once('/')
        .filter(|(module, _)| module.contains('.') && !module.contains(' '))
        .map_or(function, |(_, f)| f);
    FOREIGN_FUNCTIONS.iter().any(|foreign| function.starts_with(foreign))
}

/// The last two components of a path, without `./`.
#[must_use]
pub fn short(path: &str) -> String {
    let path = path.replace('\\', "/");
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innermost_own_frame_comes_first() {
        let python = "tests/test_cart.py:9: \n    total()\nsrc/cart.py:31: KeyError";
        let java = "java.lang.AssertionError\n\tat org.junit.Assert.fail(Assert.java:89)\n\tat com.acme.Cart.total(Cart.java:31)\n\tat com.acme.CartTest.adds(CartTest.java:9)\n\tat java.base/jdk.internal.reflect.X.invoke(X.java:1)";
        let js = "Error: x\n    at total (/w/src/cart.js:31:5)\n    at Object.<anonymous> (/w/test/cart.test.js:9:3)\n    at node:internal/process:1:1";
        for (text, first) in [(python, "src/cart.py"), (java, "Cart.java"), (js, "src/cart.js")] {
            let frames = own_frames(text, 5);
            assert_eq!(frames[0].file, first, "{frames:?}");
            assert!(!frames[0].in_test);
        }
        assert_eq!(own_frames(java, 5).len(), 2);
    }
}
