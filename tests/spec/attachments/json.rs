//! Corner cases of JSON in the midst of a resource: files of `JSONTestSuite` with their names
//! (Nicolas Seriot, "Parsing JSON is a Minefield"; MIT License, copyright 2016 Nicolas Seriot).

use super::*;

/// Texts that parsers must accept, or may.
const ACCEPTED: &[(&str, &[u8])] = &[
    ("array_arraysWithSpaces", b"[[]   ]"),
    ("array_empty-string", br#"[""]"#),
    ("array_heterogeneous", br#"[null, 1, "1", {}]"#),
    ("array_with_several_null", b"[1,null,null,null,2]"),
    ("array_ending_with_newline", br#"["a"]"#),
    ("number_0e+1", b"[0e+1]"),
    ("number_double_close_to_zero", b"[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
    ("number_negative_zero", b"[-0]"),
    ("number_real_capital_e_neg_exp", b"[1E-2]"),
    ("number_too_big_pos_int", b"[100000000000000000000]"),
    ("object_duplicated_key", br#"{"a":"b","a":"c"}"#),
    ("object_empty_key", br#"{"":0}"#),
    ("object_escaped_null_in_key", br#"{"foo\u0000bar": 42}"#),
    ("object_extreme_numbers", br#"{ "min": -1.0e+28, "max": 1.0e+28 }"#),
    ("object_long_strings", br#"{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#),
    ("object_with_newlines", b"{\n\"a\": \"b\"\n}"),
    ("string_1_2_3_bytes_UTF-8_sequences", br#"["\u0060\u012a\u12AB"]"#),
    ("string_accepted_surrogate_pairs", br#"["\ud83d\ude39\ud83d\udc8d"]"#),
    ("string_allowed_escapes", br#"["\"\\\/\b\f\n\r\t"]"#),
    ("string_backslash_and_u_escaped_zero", br#"["\\u0000"]"#),
    ("string_backslash_doublequotes", br#"["\""]"#),
    ("string_comments", br#"["a/*b*/c/*d//e"]"#),
    ("string_double_escape_a", br#"["\\a"]"#),
    ("string_double_escape_n", br#"["\\n"]"#),
    ("string_escaped_control_character", br#"["\u0012"]"#),
    ("string_last_surrogates_1_and_2", br#"["\uDBFF\uDFFF"]"#),
    ("string_nonCharacterInUTF-8_U+FFFF", "[\"\u{ffff}\"]".as_bytes()),
    ("string_u+2028_line_sep", "[\"\u{2028}\"]".as_bytes()),
    ("string_unescaped_char_delete", b"[\"\x7f\"]"),
    ("string_unicode_escaped_double_quote", br#"["\u0022"]"#),
    ("string_reservedCharacterInUTF-8_U+1BFFF", "[\"\u{1bfff}\"]".as_bytes()),
    ("string_1st_surrogate_but_2nd_missing", br#"["\uDADA"]"#),
    ("string_lone_second_surrogate", br#"["\uDFAA"]"#),
    ("string_invalid_utf-8", b"[\"\xff\"]"),
    ("string_overlong_sequence_2_bytes", b"[\"\xc0\xaf\"]"),
    ("structure_true_in_array", b"[true]"),
    ("structure_whitespace_array", b" [] "),
];

/// Texts that parsers must refuse. The first half of the resource has then been sent on.
const REFUSED: &[(&str, &[u8])] = &[
    ("array_colon_instead_of_comma", br#"["": 1]"#),
    ("array_double_comma", b"[1,,2]"),
    ("array_extra_comma", br#"["",]"#),
    ("array_items_separated_by_semicolon", b"[1:2]"),
    ("object_missing_colon", br#"{"a" b}"#),
    ("object_single_quote", b"{'a':0}"),
    ("object_trailing_comma", br#"{"id":0,}"#),
    ("object_unquoted_key", br#"{a: "b"}"#),
    ("object_trailing_comment", br#"{"a":"b"}/**/"#),
    ("structure_array_with_extra_array_close", b"[1]]"),
    ("structure_object_followed_by_closing_object", b"{}}"),
    ("structure_open_array_open_object", b"[{"),
    ("structure_open_object_close_array", b"{]"),
    (
        "structure_comma_instead_of_closing_brace",
        br#"{"x": true,"#,
    ),
    ("structure_ascii-unicode-identifier", "a\u{e5}".as_bytes()),
    ("structure_null-byte-outside-string", b"[\0]"),
    ("structure_U+2060_word_joined", "[\u{2060}]".as_bytes()),
    ("structure_angle_bracket_null", b"[<null>]"),
];

/// Texts that parsers must refuse, and the scan takes for values all the same: it looks at the
/// structure alone, and changes no byte of these.
const OVERLOOKED: &[(&str, &[u8])] = &[
    ("incomplete_true", b"[tru]"),
    ("number_+1", b"[+1]"),
    ("number_0.1.2", b"[0.1.2]"),
    ("number_NaN", b"[NaN]"),
    ("number_hex_2_digits", b"[0x42]"),
    ("number_with_leading_zero", b"[012]"),
    ("string_escape_x", br#"["\x00"]"#),
    ("string_invalid_unicode_escape", br#"["\uqqqq"]"#),
    ("string_invalid_utf8_after_escape", b"[\"\\\xe5\"]"),
    ("string_unescaped_ctrl_char", b"[\"a\0a\"]"),
    ("string_unescaped_newline", b"[\"new\nline\"]"),
    ("structure_capitalized_True", b"[True]"),
];

fn resource(case: &[u8], before: &str, after: &str) -> Vec<u8> {
    [
        br#"{"resourceType":"Patient","a":{"url":""#,
        before.as_bytes(),
        br#""},"case":"#,
        case,
        br#","b":{"url":""#,
        after.as_bytes(),
        br#""}}"#,
    ]
    .concat()
}

async fn sent_bytes(json: Vec<u8>) -> Vec<u8> {
    answer(&cabinet(), fhir(json)).await.body.to_vec()
}

#[tokio::test]
async fn whatever_is_json_does_not_hide_what_follows() {
    let url = url_of("face", 7);
    for (name, case) in ACCEPTED.iter().chain(OVERLOOKED) {
        let sent = sent_bytes(resource(case, "Binary/face", "Binary/face")).await;
        assert_eq!(sent, resource(case, &url, &url), "{name}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_passes_as_it_is() {
    let url = url_of("face", 7);
    for (name, case) in REFUSED {
        let sent = sent_bytes(resource(case, "Binary/face", "Binary/face")).await;
        assert_eq!(sent, resource(case, &url, "Binary/face"), "{name}");
    }
    for (name, document) in [
        ("array_unclosed", &br#"["""#[..]),
        ("an array with a colon", br#"["url":"Binary/face""#),
        ("a text without quotes", b"Binary/face"),
        ("two documents", b"[][{\"url\":\"Binary/face\"}]"),
        ("structure_lone-open-bracket", b"["),
        ("structure_no_data", b""),
        ("a null byte in front", b"\0{\"url\":\"Binary/face\"}"),
        (
            "a word joiner in front",
            b"\xe2\x81\xa0{\"url\":\"Binary/face\"}",
        ),
        ("the end in a URL", br#"{"url":"Binary/face"#),
        ("a name without a value", br#"{"url"}"#),
        ("a page of HTML", b"<p>{\"url\":\"Binary/face\"}</p>"),
    ] {
        assert_eq!(sent_bytes(document.to_vec()).await, document, "{name}");
    }
}

/// A name, a type and a reference are what they say, however they are spelled.
#[tokio::test]
async fn escapes_hide_nothing() {
    let url = url_of("face", 7);
    for (name, inside) in [
        (r"url", r"Binary\/face"),
        (r"\u0075rl", r"Binary/face"),
        (r"u\u0072l", r"\u0042inary/f\u0061ce"),
        (
            r"\u0075\u0072\u006c",
            r"\u0042\u0069\u006E\u0061\u0072\u0079\u002f\u0066\u0061\u0063\u0065",
        ),
    ] {
        let json = |inside: &str| {
            format!(r#"{{"resourceType":"Patient","photo":[{{"{name}":"{inside}"}}]}}"#)
        };
        assert_eq!(sent(json(inside)).await, json(&url));
    }
    for json in [
        r#"{"resourceType":"\u0042inary","a":{"url":"Binary/face"}}"#,
        r#"{"resource\u0054ype":"Binary","a":{"url":"Binary/face"}}"#,
        r#"{"resourceType":"Patient","\u0065xtension":[{"url":"Binary/face"}]}"#,
        r#"{"resourceType":"Bundle","ent\u0072y":[{"r\u0065quest":{"url":"Binary/face"}}]}"#,
        r#"{"resourceType":"Patient","a":{"url":"Binary\\/face"}}"#,
        r#"{"resourceType":"Patient","a":{"url":"Binary/f\ud800ace"}}"#,
        r#"{"resourceType":"Patient","a":{"\\u0075rl":"Binary/face"}}"#,
        r#"{"resourceType":"Patient","a":"{\"url\":\"Binary/face\"}"}"#,
    ] {
        assert_eq!(sent(json).await, json);
    }
}

#[tokio::test]
async fn white_space_stays() {
    let json = |url: &str| {
        format!(
            "\t{{ \"resourceType\"\r\n:\n\"Patient\" ,\"photo\" : [ {{\n\"url\" :\t \"{url}\" }} ]\n}}\n\n"
        )
    };
    assert_eq!(sent(json("Binary/face")).await, json(&url_of("face", 7)));
}

#[tokio::test]
async fn a_byte_order_mark_stays() {
    let json = |url: &str| format!("\u{feff}{}", patient(url));
    assert_eq!(sent(json("Binary/face")).await, json(&url_of("face", 7)));
}

#[tokio::test]
async fn numbers_keep_their_format() {
    let json = |url: &str| {
        format!(
            r#"{{"resourceType":"Observation","a":1.10,"b":1E400,"c":-0.0,"d":12345678901234567890,"e":{{"url":"{url}"}}}}"#
        )
    };
    assert_eq!(sent(json("Binary/face")).await, json(&url_of("face", 7)));
}

/// No FHIR resource is so deep; the scan keeps no more frames than this.
#[tokio::test]
async fn a_resource_deeper_than_512_containers_passes_as_it_is() {
    let json = |depth: usize, url: &str| {
        let (open, close) = (r#"{"a":"#.repeat(depth), "}".repeat(depth));
        format!(r#"{open}{{"url":"{url}"}}{close}"#)
    };
    assert_eq!(
        sent(json(511, "Binary/face")).await,
        json(511, &url_of("face", 7))
    );
    assert_eq!(
        sent(json(512, "Binary/face")).await,
        json(512, "Binary/face")
    );
    assert_eq!(
        sent(json(100_000, "Binary/face")).await,
        json(100_000, "Binary/face")
    );
}

/// The longest texts of interest are far shorter.
#[tokio::test]
async fn a_url_of_megabytes_is_not_kept_in_memory() {
    let long = format!("data:image/png;base64,{}", "QUJD".repeat(500_000));
    let json = json!({ "resourceType": "Patient", "photo": [
        { "url": long }, { "url": "Binary/face" },
    ] });
    let json = json.to_string();
    let chunks: Vec<_> = json
        .as_bytes()
        .chunks(1000)
        .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()))
        .collect();
    let sent = sent(Body::from_stream(futures_util::stream::iter(chunks))).await;
    assert_eq!(sent, json.replace("Binary/face", &url_of("face", 7)));
}

/// A type that comes after more than a megabyte comes too late.
#[tokio::test]
async fn a_url_that_would_have_to_be_held_back_for_too_long_stays() {
    let resource = |url: &str, length: usize| {
        let text = "x".repeat(length);
        format!(r#"{{"photo":[{{"url":"{url}"}}],"text":"{text}","resourceType":"Patient"}}"#)
    };
    let url = url_of("face", 7);
    for (length, expected) in [(1_000_000, &*url), (2_000_000, "Binary/face")] {
        let json = resource("Binary/face", length);
        let chunks: Vec<_> = json.as_bytes().chunks(8192).collect();
        let chunks = chunks
            .into_iter()
            .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()));
        let chunks: Vec<_> = chunks.collect();
        let sent = sent(Body::from_stream(futures_util::stream::iter(chunks))).await;
        assert!(sent == resource(expected, length), "{length}");
    }
}
