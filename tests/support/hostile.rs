//! Bodies that strangers send to cost time and memory.

/// Bodies of 1 MiB, each with its name, that are cheap to send and should be as cheap to refuse.
pub fn hostile_megabytes() -> Vec<(&'static str, String)> {
    const SIZE: usize = 1 << 20;
    let fill = |start: &str, part: &dyn Fn(usize) -> String, end: &str| {
        let mut text = String::from(start);
        for n in 0.. {
            let part = part(n);
            if text.len() + part.len() + end.len() > SIZE {
                break;
            }
            text.push_str(&part);
        }
        text + end
    };
    let repeat = |start: &str, part: &str, end: &str| fill(start, &|_| part.to_owned(), end);
    vec![
        ("lists", repeat(r#"{"a":["#, "[],", "[]]}")),
        ("lists in lists", {
            let depth = (SIZE - 6) / 2;
            format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
        }),
        ("open lists", repeat(r#"{"a":"#, "[", "")),
        ("objects", repeat(r#"{"a":["#, "{},", "{}]}")),
        ("distinct keys", fill("{", &|n| format!(r#""{n:x}":0,"#), r#""z":0}"#)),
        ("distinct inner keys", fill(r#"{"a":{"#, &|n| format!(r#""{n:x}":0,"#), r#""z":0}}"#)),
        ("the same key", repeat("{", r#""":0,"#, r#""":0}"#)),
        ("long keys", fill("{", &|n| format!(r#""{}{n}":0,"#, "k".repeat(4090)), r#""z":0}"#)),
        ("one escaped key", repeat(r#"{""#, r"\u0061", r#"":0}"#)),
        ("one escaped string", repeat(r#"{"nonce":""#, r"\n", r#""}"#)),
        ("a long number", repeat(r#"{"timestamp":"#, "9", "}")),
        ("blanks", repeat("{", " ", "}")),
        ("encoded JSON", repeat("%7B%22a%22:%5B", "%5B%5D,", "1%5D}")),
        ("plain text encoded", repeat("%7B%22a%22:%22", "a", "%22}")),
        ("form: distinct keys", fill("a=", &|n| format!("&{n:x}"), "")),
        ("form: the same key", repeat("a=", "&a", "")),
        ("form: a list", repeat("a[]=", "&a[]", "")),
        ("form: many lists", fill("a=", &|n| format!("&{n:x}[]"), "")),
        ("form: nothing", repeat("a=", "&", "")),
        ("form: escapes", repeat("a=", "%22", "")),
        ("form: raw control characters", repeat("a=", "\u{1}", "")),
        ("form: control characters", repeat("a=", "%01", "")),
        ("form: quotes", repeat("a=", "\"", "")),
        ("form: one name", repeat("", "\"", "=")),
    ]
}
