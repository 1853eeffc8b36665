//! The socket on which clients tell what they see: a file where the system has such
//! sockets (tests that are kept from the network reach it too), else a port.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;

/// What a client sends.
pub(super) type Stream = Box<dyn Read + Send>;

/// Hands each client to `serve`, on a thread of its own. Gives the address: a path,
/// or host and port.
///
/// # Errors
/// Where there is neither room for a file nor a free port.
pub(super) fn listen(folder: &Path, serve: impl Fn(Stream) + Clone + Send + 'static) -> Result<String, std::io::Error> {
    // Names of such files are bounded (108 bytes on Linux); a long one has no socket.
    match in_file(folder, serve.clone()) {
        Some(address) => Ok(address),
        None => on_port(serve),
    }
}

#[cfg(unix)]
fn in_file(folder: &Path, serve: impl Fn(Stream) + Clone + Send + 'static) -> Option<String> {
    let path = folder.join("link");
    let listener = std::os::unix::net::UnixListener::bind(&path).ok()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(Box::new(stream)));
        }
    });
    Some(path.display().to_string())
}

#[cfg(not(unix))]
fn in_file(_: &Path, _: impl Fn(Stream)) -> Option<String> {
    None
}

fn on_port(serve: impl Fn(Stream) + Clone + Send + 'static) -> Result<String, std::io::Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(Box::new(stream)));
        }
    });
    Ok(address)
}
