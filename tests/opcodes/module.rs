//! What stands at module scope: initial values, addresses in them, linkage, directives.

use crate::common::device::device;
use crate::probe::{kernel, words};
use ddpm_ptx::device::DeviceError;

/// Words of the variable `table`, one a thread.
fn table(declarations: &str, count: u32) -> Vec<u32> {
    let body = "{ .reg .b64 at; .reg .b32 v; mov.u64 at, table; mad.wide.u32 at, %me, 4, at; ld.u32 v, [at]; st.global.u32 [%out], v; }";
    words::<u32>(count, declarations, body, &[])
}

#[test]
fn initial_values() {
    assert_eq!(
        table(".global .u32 table[2][3] = {{1, 2}, {-3, 0x10, 5}};", 6),
        [1, 2, 0, -3i32 as u32, 16, 5]
    );
    assert_eq!(
        table(".const .f32 table[4] = {0.5, 0f3F800000, 2e1, -1};", 4),
        [0.5f32, 1.0, 20.0, -1.0].map(f32::to_bits)
    );
    assert_eq!(
        table(".global .f64 table[2] = {0.5, 0d4000000000000000};", 4),
        [0, 0x3FE0_0000, 0, 0x4000_0000]
    );
    assert_eq!(table(".global .align 4 .b8 table[8] = {1, 2, 255, -1, 5};", 2), [0xFFFF_0201, 5]);
    assert_eq!(table(".const .v4 .u32 table = {1, 2, 3, 4};", 4), [1, 2, 3, 4]);
    assert_eq!(table(".visible .const .u32 table[] = {7, 8, 2*(3+4)};", 3), [7, 8, 14]);
    assert_eq!(table(".weak .global .align 16 .u16 table[4] = {1, 2, 3};", 2), [0x2_0001, 3]);
    assert_eq!(table(".common .global .u32 table[2];", 2), [0, 0]);
}

/// A declaration of what the same text defines.
#[test]
fn external_declarations_with_their_definition() {
    let text = ".extern .global .u32 table[2];\n.visible .global .u32 table[2] = {3, 4};\n.extern .global .u32 table[2];";
    assert_eq!(table(text, 2), [3, 4]);
    let text = ".extern .shared .align 16 .b8 pool[];\n.extern .shared .align 16 .b8 pool[];\n.global .u32 table = 5;";
    assert_eq!(table(text, 1), [5]);
}

/// Addresses of variables declared before and behind, whole and by bytes, are followed.
#[test]
fn addresses_in_initial_values() {
    let declarations = ".global .u64 before[2] = {x, generic(x)+4};\n.global .u32 x[3] = {11, 22, 33};\n.global .u64 chain = before;\n\
        .global .align 8 .b8 parts[8] = {0xFF(x+8), 0xFF00(x+8), 0xFF0000(x+8), 0xFF000000(x+8), 0xFF00000000(x+8), 0xFF0000000000(generic(x)+8),\n\
        0xFF000000000000(x+8), 0xFF00000000000000(x+8)};";
    let body = "{ .reg .b64 a, b; .reg .b32 u, v, w; ld.global.u64 a, [chain]; ld.u64 b, [a+8]; ld.u64 a, [a]; ld.u32 u, [a]; ld.u32 v, [b];\n\
        ld.global.u64 a, [parts]; ld.u32 w, [a]; mad.lo.u32 u, u, 100, v; mad.lo.u32 u, u, 100, w; st.global.u32 [%out], u; }";
    assert_eq!(words::<u32>(1, declarations, body, &[]), [112_233]);
}

/// Vector registers by component, whole and in pieces.
#[test]
fn vector_registers() {
    let body = "{ .reg .v4 .b32 v; .reg .v2 .b32 p; .reg .b64 w; ld.global.v4.b32 v, [%in]; add.u32 v.x, v.x, v.w; mov.b64 w, {v.y, v.x}; mov.b64 p, w;\n\
        st.global.b32 [%out], p.y; }";
    assert_eq!(words::<u32>(1, "", body, &[1, 2, 3, 40]), [41]);
}

#[test]
fn what_is_not_there_is_refused() {
    for (declarations, line, part) in [
        (".extern .global .u32 far;", 1, "far is defined nowhere"),
        ("\n.extern .const .u32 far[4];", 2, "far is defined nowhere"),
        (".alias a, b;", 1, "b is defined nowhere"),
        (".global .u64 p = f;\n.func f() { ret; }", 1, "f, which is no variable"),
        (".shared .u32 s = 1;", 1, "initial values"),
        (".global .u32 x;\n.global .u32 x;", 2, "declared twice"),
        (".func f() { ret; }\n.func f() { ret; }", 2, "declared twice"),
        (".global .u32 x[2] = {1, 2, 3};", 1, "too long"),
        (".visible .entry j() .sideways 3 { ret; }", 1, "unknown directive .sideways"),
        (".visible .entry j() {\n.local .u32 x = 1; ret; }", 2, "initial values"),
        (".visible .entry j() {\nwgmma.fence.sync.aligned; }", 2, "wgmma.fence"),
        (
            ".visible .entry j() { .reg .b64 p; .reg .b32 m;\ncp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [m], [p], 16, [m]; }",
            2,
            "cp.async.bulk",
        ),
        (".visible .entry j() {\nsetmaxnreg.inc.sync.aligned.u32 64; }", 2, "setmaxnreg"),
        (".visible .entry j() { .reg .b32 r;\ntex.1d.v4.s32.s32 {r, r, r, r}, [r, {r}]; }", 2, "tex"),
    ] {
        let text = format!("{declarations}\n.visible .entry k() {{ ret; }}");
        match device().prepare(kernel(&text, [1; 3])) {
            Err(DeviceError::Module { log, .. }) => {
                assert!(
                    log.contains(part) && log.contains(&format!("probe.ptx:{line}:")),
                    "{declarations}: {log}"
                );
            }
            other => panic!("{declarations}: {other:?}"),
        }
    }
}
