//! Lines: limits, ends, marks and encodings.

use std::io::{self, BufReader, Read};

use gavel::tasks::{DEFAULT_MAX_LINE_BYTES, LineError, Lines};
use proptest::prelude::*;

fn read_all(input: &[u8], limit: usize, buffer: usize) -> Vec<Item> {
    let mut lines = Lines::new(BufReader::with_capacity(buffer, input)).with_max_line_bytes(limit);
    let mut all = Vec::new();
    loop {
        match lines.next_line() {
            Ok(Some(line)) => all.push(Ok((line.number, line.text.to_owned()))),
            Ok(None) => return all,
            Err(error) => all.push(Err(error.to_string())),
        }
    }
}

/// A line with its number, or an error's message.
type Item = Result<(u64, String), String>;

#[expect(clippy::unnecessary_wraps, reason = "an item as the reader gives it")]
fn line(number: u64, text: &str) -> Item {
    Ok((number, text.to_owned()))
}

#[test]
fn ends_marks_and_blank_lines() {
    let rows: &[(&[u8], Vec<Item>)] = &[
        (b"", vec![]),
        (b"\n\r\n \t\n", vec![]),
        (b"a", vec![line(1, "a")]),
        (b"a\n", vec![line(1, "a")]),
        (b"a\r\nb\r\n", vec![line(1, "a"), line(2, "b")]),
        (b"a\n\n \nb", vec![line(1, "a"), line(4, "b")]),
        (b"\xEF\xBB\xBFa\nb", vec![line(1, "a"), line(2, "b")]),
        (b"\xEF\xBB\xBF\nb", vec![line(2, "b")]),
        (b"a\n\xEF\xBB\xBFb", vec![line(1, "a"), line(2, "\u{feff}b")]),
        (b"a\rb\n", vec![line(1, "a\rb")]),
        ("a\u{2028}b\n".as_bytes(), vec![line(1, "a\u{2028}b")]),
        (b"a\0b\n", vec![line(1, "a\0b")]),
    ];
    for (input, expected) in rows {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(&read_all(input, 100, buffer), expected, "{input:?} with a buffer of {buffer}");
        }
    }
}

#[test]
fn text_of_another_encoding_is_named() {
    let rows: &[(&[u8], &str)] = &[
        (b"\xFF\xFE{\0", "UTF-16"),
        (b"\xFE\xFF\0{", "UTF-16"),
        (b"\xFF\xFE\0\0{\0\0\0", "UTF-32"),
        (b"\0\0\xFE\xFF", "UTF-32"),
    ];
    for (input, encoding) in rows {
        let expected = format!("line 1: the input is {encoding}; convert it to UTF-8");
        assert_eq!(read_all(input, 100, 64), [Err(expected)], "and nothing after it");
    }
}

#[test]
fn an_error_in_one_line_leaves_the_others_readable() {
    let input = b"ok\nab\xFFc\n0123456789\n0123456789a\r\n01234567890123456789\nlast";
    let limit = "longer than 10 bytes; one record stands on one line, so split it or raise the limit";
    for buffer in [1, 5, 64] {
        assert_eq!(
            read_all(input, 10, buffer),
            [
                line(1, "ok"),
                Err("line 2: byte 3 is not UTF-8; convert the input to UTF-8".to_owned()),
                line(3, "0123456789"),
                Err(format!("line 4: {limit}")),
                Err(format!("line 5: {limit}")),
                line(6, "last"),
            ]
        );
    }
}

#[test]
fn the_limit_counts_neither_the_line_end_nor_the_mark() {
    assert_eq!(read_all(b"\xEF\xBB\xBF0123\r\n0123\r\n", 4, 64), [line(1, "0123"), line(2, "0123")]);
}

/// An input without end and without a line end: it must be refused line by line in little memory, so the reader
/// here gives more than any machine holds and counts what is kept by the limit alone.
#[test]
fn a_monstrous_line_is_not_kept() {
    let monster = io::repeat(b'x').take(1 << 30).chain(&b"\nok\n"[..]);
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, monster)).with_max_line_bytes(1 << 10);
    assert!(matches!(lines.next_line(), Err(LineError::TooLong { line: 1, max_line_bytes: 1024 })));
    assert_eq!(lines.next_line().unwrap().unwrap().text, "ok");
    assert!(lines.next_line().unwrap().is_none());
}

#[test]
fn an_error_of_the_reader_ends_the_input() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let mut lines = Lines::new(BufReader::new((&b"a\nb"[..]).chain(Broken)));
    assert_eq!(lines.next_line().unwrap().unwrap().text, "a");
    let error = lines.next_line().unwrap_err();
    assert_eq!((error.line(), error.is_final()), (2, true));
    assert!(lines.next_line().unwrap().is_none());
}

proptest! {
    #[test]
    fn lines_are_those_of_a_plain_split(
        text in prop::collection::vec(prop_oneof![
            Just("\n".to_owned()), Just("\r\n".to_owned()), Just(" ".to_owned()), "[a-zé漢\r]{0,6}",
        ], 0..40),
        buffer in 1_usize..40,
        limit in 0_usize..20,
    ) {
        let text = text.concat();
        let got = read_all(text.as_bytes(), limit, buffer);
        let mut expected = Vec::new();
        for (number, piece) in (1..).zip(text.split('\n')) {
            let last = number == text.split('\n').count() as u64;
            let piece = if last { piece } else { piece.strip_suffix('\r').unwrap_or(piece) };
            if piece.len() > limit {
                expected.push(Err(number));
            } else if !piece.bytes().all(|b| b.is_ascii_whitespace()) {
                expected.push(Ok((number, piece.to_owned())));
            }
        }
        let got: Vec<_> = got.into_iter().map(|item| item.map_err(|message| {
            message["line ".len()..message.find(':').unwrap()].parse::<u64>().unwrap()
        })).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..400), buffer in 1_usize..40) {
        let n_lines = bytes.split(|b| *b == b'\n').count();
        let got = read_all(&bytes, DEFAULT_MAX_LINE_BYTES, buffer);
        prop_assert!(got.len() <= n_lines);
        prop_assert_eq!(got, read_all(&bytes, DEFAULT_MAX_LINE_BYTES, 4096), "whatever the buffer");
    }
}
