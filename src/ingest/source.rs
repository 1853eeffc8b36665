//! Any bytes → valid UTF-8 in bounded pieces, as a [`BufRead`] for quick-xml.
//!
//! Three things happen on the way, in one pass:
//!
//! 1. decoding, by byte-order mark, by shape, or by what the XML declaration says;
//! 2. repair: bytes that are not UTF-8 become U+FFFD and are counted;
//! 3. cutting: quick-xml hands out a whole token at a time, so a 1 GB
//!    `system-out` would be 1 GB of memory. [`Lexer`] follows the tokens
//!    roughly and takes the middle out of one that is longer than [`KEEP_HEAD`].

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::{memchr, memchr3};
use std::str::Utf8Error;

/// Bytes read from the inner reader at a time.
const CHUNK: usize = 128 * 1024;
/// A token may be this long before its middle is taken out. Generous beside
/// what any report keeps of a text (see `junit::DETAIL_LIMIT`).
const KEEP_HEAD: usize = 256 * 1024;
/// Bytes of attributes after which a tag takes no more of them.
const TAG_LIMIT: usize = 4 * KEEP_HEAD;
/// Bytes kept from the end of a token that was cut.
const KEEP_TAIL: usize = 64 * 1024;

/// What was noticed while reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceNotes {
    /// Bytes that were not valid in the file's encoding and became U+FFFD.
    pub replaced: u64,
    /// Bytes taken out of overlong tokens.
    pub cut: u64,
    /// Encoding the text was decoded from; `None` for UTF-8.
    pub encoding: Option<&'static str>,
}

/// A [`BufRead`] of valid, bounded UTF-8 over any reader.
///
/// Following every token would cost as much as parsing. A token long enough to
/// be cut spans whole pieces, though, and quick-xml takes the rest of a piece
/// in one [`BufRead::consume`] when its token goes on in the next one. So only
/// the token that is open at the end of a piece is looked at, and only when it
/// has grown too long does the [`Lexer`] stand between the bytes and the reader.
pub struct Source<R> {
    inner: R,
    decoder: Option<Decoder>,
    /// A character split between two pieces.
    carry: Vec<u8>,
    /// Decoded text that quick-xml reads from.
    out: Vec<u8>,
    pos: usize,
    /// Where the latest `consume` began.
    last_from: usize,
    /// The last two bytes of the piece before the present one.
    before: [u8; 2],
    started: bool,
    ended: bool,
    lexer: Lexer,
    notes: SourceNotes,
}

impl<R: Read> Source<R> {
    /// Wraps `inner`; nothing is read yet.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            decoder: None,
            carry: Vec::new(),
            out: Vec::with_capacity(CHUNK + 8),
            pos: 0,
            last_from: 0,
            before: [0; 2],
            started: false,
            ended: false,
            lexer: Lexer::default(),
            notes: SourceNotes::default(),
        }
    }

    /// What was noticed so far.
    pub fn notes(&self) -> SourceNotes {
        SourceNotes { cut: self.lexer.cut, ..self.notes }
    }

    /// Reads until the first piece is there, and shows it without consuming it.
    ///
    /// # Errors
    /// What the inner reader says.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        self.fill_buf()
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> io::Result<()> {
        self.follow_open_token();
        let cutting = self.lexer.token > KEEP_HEAD || self.lexer.tag > TAG_LIMIT;
        self.out.clear();
        self.pos = 0;
        self.last_from = 0;
        while self.out.is_empty() && !self.ended {
            self.read_piece()?;
            if cutting {
                let piece = std::mem::take(&mut self.out);
                self.lexer.feed(&piece, &mut self.out);
                if self.ended {
                    self.lexer.finish(&mut self.out);
                }
            }
        }
        Ok(())
    }

    /// Looks at what the reader took from the end of the present piece: the
    /// beginning, or one more stretch, of a token that is still open.
    fn follow_open_token(&mut self) {
        let from = self.last_from.min(self.out.len());
        let stretch = &self.out[from..];
        if self.lexer.engaged {
            // The lexer has seen this piece already.
            self.lexer.engaged = self.lexer.token > KEEP_HEAD || self.lexer.tag > TAG_LIMIT;
        } else {
            if from > 0 || !self.lexer.following {
                let before = match self.out.get(..from).unwrap_or_default() {
                    [] => self.before,
                    [one] => [self.before[1], *one],
                    [.., a, b] => [*a, *b],
                };
                self.lexer.begin(before, stretch);
            }
            self.lexer.skim(stretch);
        }
        if let [.., a, b] = self.out[..] {
            self.before = [a, b];
        }
    }

    /// Reads one piece into `out`: decoded and repaired.
    fn read_piece(&mut self) -> io::Result<()> {
        self.out.clear();
        self.out.append(&mut self.carry);
        let carried = self.out.len();
        self.out.resize(CHUNK, 0);
        let mut have = carried;
        // Four bytes tell the encoding.
        while have < carried + 4 {
            match self.inner.read(&mut self.out[have..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(n) => have += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.out.truncate(have);
                    return Err(error);
                }
            }
        }
        self.out.truncate(have);
        if !self.started {
            self.started = true;
            let (encoding, skip) = detect(&self.out);
            self.out.drain(..skip);
            if encoding != UTF_8 {
                self.notes.encoding = Some(encoding.name());
                self.decoder = Some(encoding.new_decoder_without_bom_handling());
            }
        }
        if self.decoder.is_some() {
            self.decode();
        } else if let Err(error) = std::str::from_utf8(&self.out) {
            self.repair(error);
        }
        Ok(())
    }

    /// Replaces what is not UTF-8; a character split at the end is carried over.
    #[cold]
    fn repair(&mut self, first: Utf8Error) {
        let raw = std::mem::take(&mut self.out);
        let mut rest = &raw[..];
        let mut error = Some(first);
        while let Some(found) = error {
            let (good, bad) = rest.split_at(found.valid_up_to());
            self.out.extend_from_slice(good);
            rest = bad;
            match found.error_len() {
                None if !self.ended => {
                    self.carry.extend_from_slice(rest);
                    return;
                }
                length => {
                    let length = length.unwrap_or(rest.len());
                    self.notes.replaced += length as u64;
                    self.out.extend_from_slice("\u{fffd}".as_bytes());
                    rest = &rest[length..];
                }
            }
            error = std::str::from_utf8(rest).err();
        }
        self.out.extend_from_slice(rest);
    }

    /// Decodes all of `out` in place.
    fn decode(&mut self) {
        let Some(decoder) = self.decoder.as_mut() else {
            return;
        };
        let raw = std::mem::take(&mut self.out);
        let need = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
        self.out.resize(need, 0);
        let (_, _, written, replaced) = decoder.decode_to_utf8(&raw, &mut self.out, self.ended);
        self.notes.replaced += u64::from(replaced);
        self.out.truncate(written);
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(into.len());
        into[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Source<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.pos >= self.out.len() && !self.ended {
            self.refill()?;
        }
        Ok(self.out.get(self.pos..).unwrap_or_default())
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        // Zero bytes are no stretch of a token.
        if n > 0 {
            self.last_from = self.pos;
            self.pos += n;
        }
    }
}

/// Finds the encoding of an XML file (XML 1.0, appendix F): by byte-order
/// mark, by the shape of `<?`, then by its declaration. Returns the encoding
/// and the length of the byte-order mark.
fn detect(head: &[u8]) -> (&'static Encoding, usize) {
    match head {
        [0xef, 0xbb, 0xbf, ..] => return (UTF_8, 3),
        [0xff, 0xfe, ..] => return (UTF_16LE, 2),
        [0xfe, 0xff, ..] => return (UTF_16BE, 2),
        [b'<', 0, _, 0, ..] => return (UTF_16LE, 0),
        [0, b'<', 0, _, ..] => return (UTF_16BE, 0),
        _ => {}
    }
    let declared = declared_encoding(head).and_then(Encoding::for_label);
    match declared {
        // ASCII-readable bytes cannot be UTF-16, whatever they claim.
        None => (UTF_8, 0),
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => (UTF_8, 0),
        // Files that claim Latin-1 and hold UTF-8 are common (a writer that
        // never re-encodes); UTF-8 with non-ASCII characters is unlikely by chance.
        Some(encoding) if encoding == WINDOWS_1252 && is_multibyte_utf8(head) => (UTF_8, 0),
        Some(encoding) => (encoding, 0),
    }
}

/// Whether `head` holds non-ASCII characters and all of them are valid UTF-8.
fn is_multibyte_utf8(head: &[u8]) -> bool {
    !head.is_ascii()
        && match std::str::from_utf8(head) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none() && !head[..error.valid_up_to()].is_ascii(),
        }
}

/// The value of `encoding="…"` in an XML declaration.
fn declared_encoding(head: &[u8]) -> Option<&[u8]> {
    let head = &head[..head.len().min(512)];
    let start = memchr::memmem::find(head, b"<?xml")?;
    if !head[..start].iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let declaration = &head[start..start + memchr(b'>', &head[start..])?];
    let at = memchr::memmem::find(declaration, b"encoding")? + 8;
    let rest = declaration[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let quote = *rest.first().filter(|quote| matches!(quote, b'"' | b'\''))?;
    let value = &rest[1..];
    Some(&value[..memchr(quote, value)?])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    /// Between tags.
    #[default]
    Text,
    /// After `<`, not yet known which markup; holds how much of `<![CDATA[`
    /// or `<!--` has matched.
    Open,
    /// In a tag, outside of quotes.
    Tag,
    /// In a quoted attribute value.
    Quoted(u8),
    CData,
    Comment,
    /// Processing instruction or document type: skipped as one token.
    Other,
}

/// Follows the tokens of an XML stream closely enough to know where a long
/// one ends. A wrong guess can only cost the middle of a token longer than
/// [`KEEP_HEAD`], never a short one.
#[derive(Debug, Default)]
struct Lexer {
    state: State,
    /// The first bytes after `<`, until the kind of markup is known.
    opening: Vec<u8>,
    /// The last two bytes before the present piece, for `]]>` and `-->`.
    last: [u8; 2],
    /// Length so far of the present text, value, section or comment.
    token: usize,
    /// Length so far of the present tag, quoted values included at their kept size.
    tag: usize,
    /// Nesting of `[` in a document type.
    brackets: u32,
    /// Whether the present quoted value is dropped because its tag is too long.
    muted: bool,
    /// The end of what was dropped, kept for when the token ends.
    tail: Vec<u8>,
    dropped: u64,
    /// Bytes taken out in all.
    cut: u64,
    /// Whether the present token is known from an earlier piece.
    following: bool,
    /// Whether the present piece went through [`Lexer::feed`].
    engaged: bool,
}

impl Lexer {
    /// Starts over at a token whose latest stretch begins with `stretch`, after
    /// the two bytes `before`: quick-xml takes `<`, and `!` behind it, by themselves.
    fn begin(&mut self, before: [u8; 2], stretch: &[u8]) {
        self.following = true;
        self.token = 0;
        self.tag = 0;
        self.brackets = 0;
        self.muted = false;
        self.last = before;
        self.opening.clear();
        self.state = match (before, stretch.first()) {
            ([b'<', b'!'], Some(b'[')) => State::CData,
            ([b'<', b'!'], Some(b'-')) => State::Comment,
            ([b'<', b'!'], _) | ([_, b'<'], Some(b'?')) => State::Other,
            ([_, b'<'], Some(b'!')) => State::Open,
            ([_, b'<'], _) => State::Tag,
            _ => State::Text,
        };
    }

    /// Follows `stretch`, all of which the reader has, without copying it.
    fn skim(&mut self, stretch: &[u8]) {
        let cut = self.cut;
        let mut sink = Vec::new();
        self.engaged = false;
        self.feed_into(stretch, &mut sink);
        self.dropped = 0;
        self.tail.clear();
        self.cut = cut;
        self.engaged = false;
    }

    /// Copies `piece` (valid UTF-8) to `out` without the middle of overlong tokens.
    fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.engaged = true;
        self.feed_into(piece, out);
    }

    fn feed_into(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while !rest.is_empty() {
            let end = self.token_end(rest);
            let (token, after) = rest.split_at(end);
            self.keep(token, out);
            self.remember(token);
            rest = after;
            if let Some(&byte) = rest.first() {
                self.boundary(byte, out);
                rest = &rest[1..];
            }
        }
    }

    /// How many bytes of `rest` belong to the present token for sure; the byte
    /// after them, if there is one, is a boundary.
    #[inline]
    fn token_end(&self, rest: &[u8]) -> usize {
        let found = match self.state {
            State::Text => memchr(b'<', rest),
            State::Open => Some(0),
            State::Tag => memchr3(b'>', b'"', b'\'', rest),
            State::Quoted(quote) => memchr(quote, rest),
            State::CData | State::Comment => memchr(b'>', rest),
            State::Other => memchr3(b'>', b'[', b']', rest),
        };
        found.unwrap_or(rest.len())
    }

    /// Handles the byte at a boundary.
    #[inline]
    fn boundary(&mut self, byte: u8, out: &mut Vec<u8>) {
        let next = match self.state {
            State::Text => {
                self.opening.clear();
                State::Open
            }
            State::Open => self.open(byte),
            State::Tag if byte != b'>' => {
                // Only what passes through here can be held back.
                self.muted = self.engaged && self.tag > TAG_LIMIT;
                State::Quoted(byte)
            }
            State::Quoted(_) if self.muted => State::Tag,
            State::Quoted(_) => {
                self.tag += self.token.min(KEEP_HEAD);
                State::Tag
            }
            _ if self.ends(byte) => {
                self.end_token(out);
                out.push(byte);
                self.remember(&[byte]);
                self.state = State::Text;
                return;
            }
            state => state,
        };
        if next == self.state {
            // Still inside of a section: this byte is subject to the cut as well.
            self.brackets = match byte {
                b'[' => self.brackets.saturating_add(1),
                b']' => self.brackets.saturating_sub(1),
                _ => self.brackets,
            };
            self.keep(&[byte], out);
        } else if matches!(self.state, State::Text | State::Tag | State::Quoted(_)) {
            self.change_over(byte, next, out);
        } else {
            self.keep(&[byte], out);
        }
        self.remember(&[byte]);
        self.state = next;
    }

    /// Ends the present token with `byte`, which stays unless its value was muted.
    fn change_over(&mut self, byte: u8, next: State, out: &mut Vec<u8>) {
        self.end_token(out);
        if self.muted {
            self.cut += 1;
            self.muted = matches!(next, State::Quoted(_));
        } else {
            out.push(byte);
        }
    }

    /// Whether `byte`, a `>`, ends the present tag, section or comment.
    fn ends(&self, byte: u8) -> bool {
        match self.state {
            State::Tag => true,
            State::CData => self.last == *b"]]",
            State::Comment => self.last == *b"--",
            State::Other => byte == b'>' && self.brackets == 0,
            State::Text | State::Open | State::Quoted(_) => false,
        }
    }

    /// Decides, byte by byte after `<`, what kind of markup begins.
    fn open(&mut self, byte: u8) -> State {
        self.opening.push(byte);
        self.token = 0;
        let is_prefix = |of: &[u8]| of.starts_with(&self.opening);
        if self.opening == b"![CDATA[" {
            State::CData
        } else if self.opening == b"!--" {
            State::Comment
        } else if is_prefix(b"![CDATA[") || is_prefix(b"!--") {
            State::Open
        } else {
            self.tag = 0;
            self.brackets = u32::from(byte == b'[');
            match self.opening[0] {
                b'!' | b'?' => State::Other,
                _ if byte == b'>' => State::Text,
                _ => State::Tag,
            }
        }
    }

    /// Keeps `bytes` of the present token, or the end of them once it is too long.
    #[inline]
    fn keep(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let room = KEEP_HEAD.saturating_sub(self.token);
        self.token += bytes.len();
        if self.state == State::Tag {
            self.tag += bytes.len();
        }
        if self.muted || (self.state == State::Tag && self.tag > TAG_LIMIT) {
            // Attributes without end: the tag keeps those it has.
            self.cut += bytes.len() as u64;
            return;
        }
        if bytes.len() <= room {
            out.extend_from_slice(bytes);
            return;
        }
        let mut split = room;
        while split > 0 && bytes[split] & 0xc0 == 0x80 {
            split -= 1;
        }
        out.extend_from_slice(&bytes[..split]);
        let dropped = &bytes[split..];
        self.dropped += dropped.len() as u64;
        self.tail.extend_from_slice(&dropped[dropped.len().saturating_sub(KEEP_TAIL)..]);
        if self.tail.len() > 2 * KEEP_TAIL {
            self.tail.drain(..self.tail.len() - KEEP_TAIL);
        }
    }

    /// Ends the present token: what was dropped from it is told, its tail kept.
    #[inline]
    fn end_token(&mut self, out: &mut Vec<u8>) {
        self.token = 0;
        if self.dropped > 0 {
            self.write_tail(out);
        }
    }

    #[cold]
    fn write_tail(&mut self, out: &mut Vec<u8>) {
        let mut start = self.tail.len().saturating_sub(KEEP_TAIL);
        while start < self.tail.len() && self.tail[start] & 0xc0 == 0x80 {
            start += 1;
        }
        let tail = &self.tail[start..];
        let gone = self.dropped - tail.len() as u64;
        if gone > 0 {
            out.extend_from_slice(format!("\n[… {gone} bytes cut …]\n").as_bytes());
        }
        out.extend_from_slice(tail);
        self.cut += gone;
        self.dropped = 0;
        self.tail.clear();
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_token(out);
    }

    #[inline]
    fn remember(&mut self, bytes: &[u8]) {
        match bytes {
            [] => {}
            [one] => self.last = [self.last[1], *one],
            [.., a, b] => self.last = [*a, *b],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: &[u8]) -> (String, SourceNotes) {
        let mut source = Source::new(bytes);
        let mut out = Vec::new();
        source.read_to_end(&mut out).unwrap();
        (String::from_utf8(out).unwrap(), source.notes())
    }

    /// Hands out one byte at a time, so that every boundary falls between pieces.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(into.len()).min(1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn dripped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Source::new(Drip(bytes)).read_to_end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn encodings() {
        let wide = |text: &str, le: bool, bom: bool| {
            let mark = if bom { "\u{feff}" } else { "" };
            format!("{mark}{text}")
                .encode_utf16()
                .flat_map(|unit| if le { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect::<Vec<u8>>()
        };
        let table: Vec<(&str, Vec<u8>)> = vec![
            ("utf-8", "<a>é</a>".into()),
            ("utf-8 with mark", "\u{feff}<a>é</a>".into()),
            ("utf-16le with mark", wide("<a>é</a>", true, true)),
            ("utf-16be with mark", wide("<a>é</a>", false, true)),
            ("utf-16le bare", wide("<a>é</a>", true, false)),
            ("utf-16be bare", wide("<a>é</a>", false, false)),
        ];
        for (name, bytes) in table {
            assert_eq!(text_of(&bytes).0, "<a>é</a>", "{name}");
            assert_eq!(dripped(&bytes), "<a>é</a>", "{name}, dripped");
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
        assert!(text_of(latin).0.ends_with("<a>é</a>"));
        assert_eq!(text_of(latin).1.encoding, Some("windows-1252"));
        let lying = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>";
        assert_eq!(text_of(lying.as_bytes()).0, lying);
        let unknown = "<?xml version=\"1.0\" encoding=\"klingon\"?><a/>";
        assert_eq!(text_of(unknown.as_bytes()).0, unknown);
        let wrong = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>é</a>";
        assert_eq!(text_of(wrong.as_bytes()).0, wrong);
    }

    #[test]
    fn bad_bytes_are_replaced_and_counted() {
        let (text, notes) = text_of(b"<a>\xff\xfeok\xe2\x82</a>");
        assert_eq!(text, "<a>\u{fffd}\u{fffd}ok\u{fffd}</a>");
        assert_eq!(notes.replaced, 4);
        assert_eq!(dripped(b"x\xe2\x82"), "x\u{fffd}");
        assert_eq!(dripped("<a>é€</a>".as_bytes()), "<a>é€</a>");
    }

    /// Reads with quick-xml, as the reader does; gives the longest event and what came by.
    fn events(bytes: &[u8]) -> (usize, String, SourceNotes) {
        let mut reader = quick_xml::Reader::from_reader(Source::new(bytes));
        reader.config_mut().check_end_names = false;
        let (mut longest, mut told, mut buffer) = (0, String::new(), Vec::new());
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer) {
                Ok(quick_xml::events::Event::Eof) => break,
                Ok(event) => told.push_str(&format!("{event:.60?}\n")),
                Err(error) => panic!("{error}"),
            }
            longest = longest.max(buffer.capacity());
            if buffer.ends_with(b"END") || buffer.windows(3).rev().take(9).any(|w| w == b"END") {
                told.push_str("saw END\n");
            }
        }
        (longest, told, reader.get_mut().notes())
    }

    #[test]
    fn the_middle_of_a_long_token_goes_and_its_neighbours_stay() {
        let long = "y".repeat(9 * 1024 * 1024 + 17);
        let wide = "€".repeat(3 * 1024 * 1024 + 17);
        for long in [long, wide] {
            let cases = [
                format!("<a><b>{long}END</b><c/></a>"),
                format!("<a><b><![CDATA[{long}> ]] <x> END]]></b><c/></a>"),
                format!("<a><b m=\"{long}> < END\"/><c/></a>"),
                format!("<a><!-- {long}> END--><c/></a>"),
                format!("<a><b>& {long}END</b><c/></a>"),
            ];
            for (number, case) in cases.iter().enumerate() {
                let mut reader_limit = case.clone();
                if number == 4 {
                    reader_limit = case.replace("& ", "&amp; ");
                }
                let (longest, told, notes) = events(reader_limit.as_bytes());
                assert!(longest < 2 * (KEEP_HEAD + KEEP_TAIL + 2 * CHUNK), "{number}: {longest}");
                assert!(notes.cut > 8_000_000, "{number}: {notes:?}");
                assert!(told.contains("saw END") && told.contains("\"c\""), "{number}: {told}");
            }
        }
    }

    #[test]
    fn attributes_without_end_are_stopped() {
        let many = "a='1' ".repeat(3_000_000);
        let (longest, told, notes) = events(format!("<r><t {many}/><c/></r>").as_bytes());
        assert!(longest < 16 * KEEP_HEAD, "{longest}");
        assert!(told.contains("\"c\"") && notes.cut > 0, "{told}");
    }

    #[test]
    fn short_tokens_are_never_touched() {
        let tricky = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x \"]>\">]><a b='\">' c=\"'>\">\
                      <![CDATA[ ]]]]><![CDATA[> ]]><!-- -> -- --><![CDATX<>&amp;\u{1}\0</a>";
        assert_eq!(text_of(tricky.as_bytes()).0, tricky);
        assert_eq!(dripped(tricky.as_bytes()), tricky);
    }

    proptest::proptest! {
        #[test]
        fn valid_text_below_the_limit_passes_unchanged(text in "[<>!\\-\\[\\]CDAT\"'é/?a ]{0,200}") {
            let (whole, _) = text_of(text.as_bytes());
            proptest::prop_assert_eq!(&whole, &text);
            proptest::prop_assert_eq!(dripped(text.as_bytes()), text);
        }

        #[test]
        fn no_bytes_are_too_bad(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = text_of(&bytes);
        }
    }
}
