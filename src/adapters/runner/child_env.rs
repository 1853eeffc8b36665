//! The environment in which foreign code runs: an allow-list, a home of its own,
//! and the caches of dependencies of whoever called us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapters::secret_env::is_secret;

/// Variables that are handed down where they are set and hold no secret.
const ALLOWED: &[&str] = &[
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "USER",
    "LOGNAME",
    "JAVA_HOME",
    "JDK_HOME",
    "MAVEN_HOME",
    "M2_HOME",
    "GRADLE_HOME",
    "ANDROID_HOME",
    "GOROOT",
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "CGO_ENABLED",
    "RUSTUP_TOOLCHAIN",
    "CARGO_NET_OFFLINE",
    "CARGO_HTTP_CAINFO",
    "NVM_DIR",
    "NVM_BIN",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_registry",
    "PYENV_VERSION",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "GEM_HOME",
    "GEM_PATH",
    "BUNDLE_PATH",
    "BUNDLE_GEMFILE",
    "RBENV_VERSION",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "PIP_INDEX_URL",
    "CHROME_BIN",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
];

/// The variables for foreign code. `home` is its own home, `extra` names what the
/// policy lets through besides, `here` says that it runs on this machine itself:
/// a container has its own programs and caches.
pub(super) fn variables(home: &Path, extra: &[String], here: bool) -> Vec<(String, String)> {
    let mut found: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(name, value)| {
            let of_machine = here && ALLOWED.contains(&name.as_str());
            let allowed = of_machine || name.starts_with("LC_") || name == "TZ";
            // What the policy names was chosen by a person; its value is theirs to judge.
            (allowed && !is_secret(name, value)) || extra.contains(name)
        })
        .collect();
    let mut set = |name: &str, value: String| {
        found.entry(name.to_owned()).or_insert(value);
    };
    set("LANG", "C.UTF-8".to_owned());
    if here {
        set("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned());
        for (name, path) in caches(home) {
            set(name, path.display().to_string());
        }
    }
    found.insert("HOME".to_owned(), home.display().to_string());
    found.insert("XDG_CACHE_HOME".to_owned(), home.join(".cache").display().to_string());
    found.insert("TMPDIR".to_owned(), home.join("tmp").display().to_string());
    found.insert("CI".to_owned(), "true".to_owned());
    found.insert("TERM".to_owned(), "dumb".to_owned());
    found.into_iter().collect()
}

/// The home of whoever called us.
pub(super) fn real_home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|p| p.is_absolute())
}

/// Where dependencies are kept that were fetched before. Folders in which
/// credentials lie beside them are not handed out; what is needed of them is linked.
fn caches(home: &Path) -> Vec<(&'static str, PathBuf)> {
    let Some(real) = real_home() else { return Vec::new() };
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let mut found = Vec::new();
    let mut offer = |name: &'static str, path: PathBuf| {
        if path.is_dir() {
            found.push((name, path));
        }
    };
    let go = set("GOPATH").unwrap_or_else(|| real.join("go"));
    offer("GOMODCACHE", set("GOMODCACHE").unwrap_or_else(|| go.join("pkg/mod")));
    offer("GOCACHE", set("GOCACHE").unwrap_or_else(|| real.join(".cache/go-build")));
    offer("RUSTUP_HOME", set("RUSTUP_HOME").unwrap_or_else(|| real.join(".rustup")));
    offer("PYENV_ROOT", set("PYENV_ROOT").unwrap_or_else(|| real.join(".pyenv")));
    offer("RBENV_ROOT", set("RBENV_ROOT").unwrap_or_else(|| real.join(".rbenv")));
    offer("PYTHONUSERBASE", set("PYTHONUSERBASE").unwrap_or_else(|| real.join(".local")));
    offer("npm_config_cache", set("npm_config_cache").unwrap_or_else(|| real.join(".npm")));
    offer(
        "PLAYWRIGHT_BROWSERS_PATH",
        set("PLAYWRIGHT_BROWSERS_PATH").unwrap_or_else(|| real.join(".cache/ms-playwright")),
    );
    let cargo = set("CARGO_HOME").unwrap_or_else(|| real.join(".cargo"));
    offer("CARGO_HOME", linked(&cargo, &home.join("cargo"), &["registry", "git", "bin"], &["config.toml", "config"]));
    let gradle = set("GRADLE_USER_HOME").unwrap_or_else(|| real.join(".gradle"));
    offer("GRADLE_USER_HOME", linked(&gradle, &home.join("gradle"), &["caches", "wrapper", "jdks"], &[]));
    found
}

/// A folder with links to the harmless parts of another, and copies of its
/// configuration where that holds no secret.
fn linked(from: &Path, to: &Path, parts: &[&str], texts: &[&str]) -> PathBuf {
    if !from.is_dir() || std::fs::create_dir_all(to).is_err() {
        return PathBuf::new();
    }
    #[cfg(unix)]
    for part in parts.iter().filter(|p| from.join(p).exists()) {
        let _ = std::os::unix::fs::symlink(from.join(part), to.join(part));
    }
    for text in texts {
        let harmless =
            std::fs::read_to_string(from.join(text)).ok().filter(|t| !is_secret("", t) && !t.contains("token"));
        if let Some(harmless) = harmless {
            let _ = std::fs::write(to.join(text), harmless);
        }
    }
    to.to_owned()
}
