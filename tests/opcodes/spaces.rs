//! Loads and stores with every modifier, in every space; wide registers; where an address lies.

use crate::probe::{Case, INTEGERS_64, Probe, combinations, words};

/// What is said about order and caches changes no value.
#[test]
fn orders_and_hints() {
    let loads = [
        "",
        ".weak",
        ".volatile",
        ".relaxed.cta",
        ".relaxed.gpu",
        ".relaxed.sys",
        ".acquire.cta",
        ".acquire.gpu",
        ".acquire.sys",
        ".ca",
        ".cg",
        ".cs",
        ".lu",
        ".cv",
    ];
    let stores = [
        "",
        ".weak",
        ".volatile",
        ".relaxed.cta",
        ".relaxed.gpu",
        ".relaxed.sys",
        ".release.cta",
        ".release.gpu",
        ".release.sys",
        ".wb",
        ".cg",
        ".cs",
        ".wt",
    ];
    for (at, load) in loads.iter().enumerate() {
        let store = stores[at % stores.len()];
        for space in ["global", "shared", ""] {
            // Orders stand before the space, cache operators behind it.
            let place = |what: &str| match what.len() {
                3 => format!("{}{what}", if space.is_empty() { String::new() } else { format!(".{space}") }),
                _ => format!("{what}{}", if space.is_empty() { String::new() } else { format!(".{space}") }),
            };
            let address = match space {
                "shared" => "[pool+16]",
                "global" => "[%out]",
                _ => "[generic]",
            };
            let body = format!(
                "{{ .reg .b32 v, w; .reg .b64 generic; mov.u64 generic, pool; cvta.shared.u64 generic, generic; add.u32 v, %me, 77;\n\
                 st{}.u32 {address}, v; ld{}.u32 w, {address}; st.global.u32 [%out], w; }}",
                place(store),
                place(load)
            );
            assert_eq!(words::<u32>(1, ".shared .align 16 .b8 pool[64];", &body, &[]), [77], "{body}");
        }
    }
    let hints = [
        ".L1::evict_normal",
        ".L1::evict_unchanged",
        ".L1::evict_first",
        ".L1::evict_last",
        ".L1::no_allocate",
    ];
    for hint in hints {
        for prefetch in ["", ".L2::64B", ".L2::128B", ".L2::256B"] {
            let body = format!(
                "{{ .reg .b32 a, b, c, d; .reg .b64 policy; createpolicy.fractional.L2::evict_last.b64 policy, 0.5;\n\
                 ld.global.nc{hint}.L2::cache_hint{prefetch}.v4.b32 {{a, b, c, d}}, [%in], policy; add.u32 a, a, d;\n\
                 st.global{hint}.L2::cache_hint.b32 [%out], a, policy; ld.global{hint}{prefetch}.b32 a, [%out]; st.global.b32 [%out], a; }}"
            );
            assert_eq!(words::<u32>(1, "", &body, &[1, 2, 3, 4]), [5], "{hint}{prefetch}");
        }
    }
}

#[test]
fn registers_of_128_bits() {
    let body = "{ .reg .b128 q, r, s; .reg .b64 a, b, c, d, at; mul.wide.u32 at, %me, 16; add.u64 at, at, %in;\n\
        ld.global.b128 q, [at]; mov.b128 {a, b}, q; mov.b128 r, {b, a}; mov.b128 s, r; st.shared.b128 [pool], s; ld.shared.v2.b64 {c, d}, [pool];\n\
        xor.b64 c, c, b; xor.b64 d, d, a; or.b64 c, c, d; add.u64 a, a, b; add.u64 a, a, c; st.global.u64 [%out], a; }";
    let input: Vec<u32> = (1..5).collect();
    let wanted = (1u64 | 2 << 32) + (3 | 4 << 32);
    assert_eq!(words::<u64>(1, ".shared .align 16 .b8 pool[16];", body, &input), [wanted]);
}

/// A word from bytes and back; the first is the lowest.
#[test]
fn bytes_of_words() {
    let bytes = "{ .reg .b8 a, b, c, d; .reg .b16 h; mov.b32 {a, b, c, d}, %a; mov.b32 %r, {d, c, b, a}; mov.b16 h, {a, b}; }";
    let cases: Vec<Case> =
        combinations(INTEGERS_64, 1).iter().map(|case| [case[0] & 0xFFFF_FFFF, 0, 0, 0]).collect();
    Probe { text: bytes, result: 32, sources: &[32] }
        .exact(&cases, |[a, ..]| u64::from((a as u32).swap_bytes()));
    let pair = "{ .reg .b8 a, b; mov.b16 {a, b}, %a; mov.b16 %r, {b, a}; }";
    let cases: Vec<Case> = (0..=0xFFFF).step_by(257).map(|a| [a, 0, 0, 0]).collect();
    Probe { text: pair, result: 16, sources: &[16] }
        .exact(&cases, |[a, ..]| u64::from((a as u16).swap_bytes()));
}

/// Which window an address lies in: one bit for each space asked for.
#[test]
fn spaces_of_generic_addresses() {
    let declarations = ".const .u32 table[2] = {11, 22};\n.shared .align 4 .u32 word;\n.global .u32 counter;";
    let ask = "isspacep.global p, at; selp.b32 v, 1, 0, p; isspacep.shared p, at; @p or.b32 v, v, 2; isspacep.local p, at; @p or.b32 v, v, 4;\n\
        isspacep.const p, at; @p or.b32 v, v, 8; isspacep.param p, at; @p or.b32 v, v, 16; isspacep.shared::cta p, at; @p or.b32 v, v, 32;";
    let rows = [
        ("mov.u64 at, counter; cvta.global.u64 at, at;", 1),
        ("mov.u64 at, %in;", 1),
        ("mov.u64 at, word; cvta.shared.u64 at, at;", 2 | 32),
        ("mov.u64 at, mine; cvta.local.u64 at, at;", 4),
        ("mov.u64 at, table; cvta.const.u64 at, at; ld.u32 v, [at+4];", 8),
        ("mov.b64 at, in; cvta.param.u64 at, at;", 16),
    ];
    for (address, wanted) in rows {
        let body = format!(
            "{{ .local .align 4 .u32 mine; .reg .b64 at; .reg .pred p; .reg .b32 v; {address} {ask} st.global.u32 [%out], v; }}"
        );
        assert_eq!(words::<u32>(2, declarations, &body, &[0]), [wanted; 2], "{address}");
    }
}

/// Every element type, alone and in vectors, through memory that is filled with a byte before.
#[test]
fn stores_of_every_type() {
    for (ty, bytes) in [("b8", 1u32), ("u16", 2), ("s32", 4), ("f32", 4), ("b64", 8), ("f64", 8)] {
        for count in [1u32, 2, 4] {
            let all = bytes * count;
            if all > 16 {
                continue;
            }
            for space in ["shared", "local", "global"] {
                let register = 8 * bytes.max(2);
                let names: Vec<String> = (0..count).map(|i| format!("v{i}")).collect();
                let set: String =
                    (0..count).map(|i| format!("mov.b{register} v{i}, {};\n", 17 + i)).collect();
                let vector = if count == 1 { String::new() } else { format!(".v{count}") };
                let list = if count == 1 { names[0].clone() } else { format!("{{{}}}", names.join(", ")) };
                let address = if space == "global" { "[%in+16]" } else { "[room+16]" };
                let declare = if space == "local" { ".local .align 16 .b8 room[64];" } else { "" };
                let fill: String = (0..12)
                    .map(|i| format!("st.{space}.b32 [{}+{}], f;\n", &address[1..address.len() - 4], 4 * i))
                    .collect();
                let mut body = format!(
                    "{{ {declare} .reg .b{register} v<4>; .reg .b32 f, g; .reg .b64 sum; mov.b32 f, 0xEEEEEEEE;\n{fill}{set}"
                );
                body += &format!("st.{space}{vector}.{ty} {address}, {list};\nmov.b64 sum, 0;\n");
                // A sum over all words that tells where each byte went.
                for i in 0..12 {
                    body += &format!(
                        "ld.{space}.b32 g, [{}+{}]; mad.wide.u32 sum, g, {}, sum;\n",
                        &address[1..address.len() - 4],
                        4 * i,
                        2 * i + 1
                    );
                }
                body += "st.global.u64 [%out], sum; }";
                let mut room = [0xEEu8; 48];
                for i in 0..count {
                    let value = u64::from(17 + i).to_le_bytes();
                    let at = (16 + bytes * i) as usize;
                    room[at..at + bytes as usize].copy_from_slice(&value[..bytes as usize]);
                }
                let wanted = room.chunks(4).enumerate().fold(0u64, |sum, (i, word)| {
                    sum + u64::from(u32::from_le_bytes(word.try_into().expect("four bytes")))
                        * (2 * i as u64 + 1)
                });
                let declarations = if space == "shared" { ".shared .align 16 .b8 room[64];" } else { "" };
                let found = words::<u64>(1, declarations, &body, &[0; 16]);
                assert_eq!(found, [wanted], "st.{space}{vector}.{ty}");
            }
        }
    }
}
