//! Every form of the grammar, against the tree it must yield.

use ddpm_ptx::ptx::ast::*;
use ddpm_ptx::ptx::parse;

/// Parses `body` inside an entry.
fn body(body: &str) -> Vec<Statement> {
    let text = format!(".entry k() {{\n{body}\n}}");
    let module = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    module.functions[0].body.clone().expect("the entry has a body")
}

fn instruction(text: &str) -> Instruction {
    match body(text).remove(0) {
        Statement::Instruction(instruction) => instruction,
        other => panic!("{text} parsed as {other:?}"),
    }
}

fn operand(text: &str) -> Operand {
    instruction(&format!("op {text};")).operands.remove(0)
}

fn variables(text: &str) -> Vec<Variable> {
    parse(text).unwrap_or_else(|error| panic!("{error}")).variables
}

fn name(text: &str) -> Operand {
    Operand::Name(text.to_string())
}

fn int(value: i128) -> Operand {
    Operand::Number(Number::Integer(value))
}

fn memory(base: Operand, offset: i64, rest: Vec<Operand>) -> Operand {
    Operand::Memory { base: Box::new(base), offset, rest }
}

#[test]
fn module_directives() {
    let module = parse(
        ".version 8.0\n.target sm_90a, debug\n.address_size 64\n.file 1 \"a.cu\", 7, 9\n.pragma \"x\";\n\
         .section .debug_str { .b8 1, 2 info: .b32 0x3 }\n.visible .entry k() { ret; }",
    )
    .expect("parses");
    assert_eq!(module.version, (8, 0));
    assert_eq!(module.target, ["sm_90a", "debug"]);
    assert_eq!(module.address_size, 64);
    assert_eq!(module.functions[0].name, "k");
    assert_eq!(module.functions[0].line, 7);
}

#[test]
fn address_size_defaults_to_64() {
    assert_eq!(parse("").expect("parses").address_size, 64);
}

#[test]
fn entry_with_parameters_and_launch_directives() {
    let module = parse(
        ".visible .entry conv(.param .u64 .ptr .global .align 16 x, // in f32\n\
         .param .align 64 .b8 map[128], .param .f32 scale)\n\
         .maxntid 256, 1, 1\n.reqntid 128\n.minnctapersm 2\n.maxnreg 168\n.reqnctapercluster 2,1,1\n.pragma \"nounroll\";\n{ret;}",
    )
    .expect("parses");
    let entry = &module.functions[0];
    assert_eq!(entry.kind, FunctionKind::Entry);
    let params: Vec<_> =
        entry.params.iter().map(|p| (p.name.as_str(), p.ty, p.align, p.dims.clone())).collect();
    assert_eq!(
        params,
        [
            ("x", Type::U64, None, vec![]),
            ("map", Type::B8, Some(64), vec![Some(128)]),
            ("scale", Type::F32, None, vec![]),
        ]
    );
    let directives: Vec<_> = entry.directives.iter().map(|d| (d.name.as_str(), d.values.clone())).collect();
    assert_eq!(
        directives,
        [
            ("maxntid", vec![256, 1, 1]),
            ("reqntid", vec![128]),
            ("minnctapersm", vec![2]),
            ("maxnreg", vec![168]),
            ("reqnctapercluster", vec![2, 1, 1]),
            ("pragma", vec![]),
        ]
    );
}

#[test]
fn functions_with_returns_and_declarations() {
    let module = parse(
        ".extern .func (.param .b32 r) declared (.param .b64 a);\n\
         .visible .func (.reg .f32 out) f (.reg .f32 a, .reg .f32 b) .noreturn { ret; }\n.func g { ret; }",
    )
    .expect("parses");
    let [declared, f, g] = &module.functions[..] else { panic!("three functions") };
    assert!(declared.body.is_none());
    assert_eq!(declared.returns[0].name, "r");
    assert_eq!((f.returns.len(), f.params.len()), (1, 2));
    assert_eq!(f.params[1].space, Space::Reg);
    assert_eq!(f.directives[0].name, "noreturn");
    assert!(g.returns.is_empty() && g.params.is_empty());
}

#[test]
fn call_with_return_and_argument_lists() {
    let call = instruction("@%p call.uni (r, s), f, (a, 1);");
    assert_eq!(call.guard, Some(Guard { negated: false, register: "%p".to_string() }));
    assert_eq!(call.modifiers, ["uni"]);
    assert_eq!(
        call.operands,
        [Operand::List(vec![name("r"), name("s")]), name("f"), Operand::List(vec![name("a"), int(1)]),]
    );
    assert_eq!(instruction("call f, ();").operands[1], Operand::List(vec![]));
}

#[test]
fn register_declarations() {
    let statements = body(".reg .pred p, q<3>;\n.reg .v4 .f32 v;");
    let found: Vec<_> = statements
        .iter()
        .map(|statement| match statement {
            Statement::Variable(v) => (v.name.as_str(), v.ty, v.vector, v.family, v.line),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [("p", Type::Pred, 1, None, 2), ("q", Type::Pred, 1, Some(3), 2), ("v", Type::F32, 4, None, 3)]
    );
}

#[test]
fn memory_declarations() {
    let found = variables(
        ".extern .shared .align 16 .b8 smem[];\n.global .align 8 .b8 pool[4][0x10];\n.visible .const .f32 half = 0f3F000000;",
    );
    assert_eq!(found[0].linkage.as_deref(), Some("extern"));
    assert_eq!((found[0].space, found[0].align), (Space::Shared, Some(16)));
    assert_eq!(found[0].dims, [None]);
    assert_eq!(found[1].dims, [Some(4), Some(16)]);
    assert_eq!(found[2].init, [Initial::Number(Number::F32(0x3F00_0000))]);
}

#[test]
fn array_initialisers_flatten_row_by_row() {
    let integers = |text: &str| -> Vec<i128> {
        let found = variables(text).remove(0).init;
        found
            .iter()
            .map(|value| match value {
                Initial::Number(Number::Integer(value)) => *value,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(integers(".const .u32 a[4] = { 1, -2, 0x3, 04 };"), [1, -2, 3, 4]);
    assert_eq!(integers(".const .u32 a[2][3] = { {1, 2}, {3, 4, 5} };"), [1, 2, 0, 3, 4, 5]);
    assert_eq!(integers(".const .u32 a[2][2][2] = {{{1},{2}},{{3,4}}};"), [1, 0, 2, 0, 3, 4, 0, 0]);
    assert_eq!(integers(".const .u32 a[2] = {};"), []);
}

#[test]
fn initialisers_with_symbol_addresses() {
    let found = variables(".global .u64 table[3] = { x, generic(y)+8, &z-4 };").remove(0).init;
    let address = |symbol: &str, offset, generic| Initial::Address {
        symbol: symbol.to_string(),
        offset,
        generic,
        mask: None,
    };
    assert_eq!(found, [address("x", 0, false), address("y", 8, true), address("z", -4, false)]);
}

#[test]
fn guards() {
    let guard = |text| instruction(text).guard.expect("a guard");
    assert_eq!(guard("@p ret;"), Guard { negated: false, register: "p".to_string() });
    assert_eq!(guard("@!%p1 bra DONE;"), Guard { negated: true, register: "%p1".to_string() });
}

#[test]
fn modifiers_keep_digits_and_chains() {
    let load = instruction("ld.global.nc.L1::no_allocate.L2::128B.v4.f32 {%f0,%f1,_,%f3}, [%rd1+-16];");
    assert_eq!(load.opcode, "ld");
    assert_eq!(load.modifiers, ["global", "nc", "L1::no_allocate", "L2::128B", "v4", "f32"]);
    assert_eq!(load.operands[0], Operand::Vector(vec![name("%f0"), name("%f1"), Operand::Sink, name("%f3")]));
    assert_eq!(load.operands[1], memory(name("%rd1"), -16, vec![]));

    let tma = instruction(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r1], [%rd2, {%r3, %r4}], [%r5];",
    );
    assert_eq!(tma.modifiers[3..5], ["2d", "shared::cluster"]);
    assert_eq!(tma.modifiers[7], "mbarrier::complete_tx::bytes");
    let coordinates = Operand::Vector(vec![name("%r3"), name("%r4")]);
    assert_eq!(tma.operands[1], memory(name("%rd2"), 0, vec![coordinates]));
}

#[test]
fn integer_literals() {
    for (text, value) in [
        ("0", 0i128),
        ("42", 42),
        ("-1", -1),
        ("42U", 42),
        ("0xFFFFFFFFFFFFFFFF", u64::MAX.into()),
        ("-0x10", -16),
        ("0xffU", 255),
        ("0b101", 5),
        ("017", 15),
        ("-9223372036854775808", i64::MIN.into()),
    ] {
        assert_eq!(operand(text), int(value), "{text}");
    }
}

#[test]
fn float_literals() {
    for (text, number) in [
        ("0f3F800000", Number::F32(1f32.to_bits())),
        ("0F7fc00000", Number::F32(0x7FC0_0000)),
        ("-0f3F800000", Number::F32((-1f32).to_bits())),
        ("0d3FF0000000000000", Number::F64(1f64.to_bits())),
        ("1.5", Number::F64(1.5f64.to_bits())),
        ("-2.5e-3", Number::F64((-2.5e-3f64).to_bits())),
        ("1E+10", Number::F64(1e10f64.to_bits())),
        ("3.", Number::F64(3f64.to_bits())),
        ("7e2", Number::F64(700f64.to_bits())),
    ] {
        assert_eq!(operand(text), Operand::Number(number), "{text}");
    }
}

#[test]
fn operand_forms() {
    let component = |base: &str, part: &str| Operand::Component(base.to_string(), part.to_string());
    for (text, expected) in [
        ("%r1", name("%r1")),
        ("_", Operand::Sink),
        ("%tid.x", component("%tid", "x")),
        ("!%p", Operand::Not("%p".to_string())),
        ("smem+16", Operand::Offset("smem".to_string(), 16)),
        ("smem-4", Operand::Offset("smem".to_string(), -4)),
        ("%p|%q", Operand::Pair(Box::new(name("%p")), Box::new(name("%q")))),
        ("_|%q", Operand::Pair(Box::new(Operand::Sink), Box::new(name("%q")))),
        ("[x]", memory(name("x"), 0, vec![])),
        ("[%rd1 + 0x20]", memory(name("%rd1"), 32, vec![])),
        ("[%rd1-8]", memory(name("%rd1"), -8, vec![])),
        ("[4096]", memory(Operand::Number(Number::Integer(4096)), 0, vec![])),
        ("{%r0, 1}", Operand::Vector(vec![name("%r0"), int(1)])),
        ("$L__BB0_1", name("$L__BB0_1")),
    ] {
        assert_eq!(operand(text), expected, "{text}");
    }
}

#[test]
fn labels_scopes_and_positions() {
    let statements = body("START: add.u32 %r1, %r1, 1;\n{\n  .reg .u32 t;\n  @%p bra START;\n}\n;\n  ret;");
    assert_eq!(statements[0], Statement::Label { name: "START".to_string(), line: 2 });
    let Statement::Block(block) = &statements[2] else { panic!("a scope, not a vector") };
    assert!(matches!(&block[0], Statement::Variable(variable) if variable.name == "t"));
    let Statement::Instruction(ret) = &statements[3] else { panic!("an instruction") };
    assert_eq!((ret.opcode.as_str(), ret.line, ret.column), ("ret", 8, 3));
    assert_eq!(statements.len(), 4);
}

#[test]
fn branch_targets_pragmas_and_locations() {
    let statements = body(
        "ts: .branchtargets A, B;\nbrx.idx %r1, ts;\n.pragma \"nounroll\";\n\
         .loc 1 15 3, function_name $L_info+4, inlined_at 2 20 5\nret;",
    );
    let labels = vec!["A".to_string(), "B".to_string()];
    assert_eq!(statements[0], Statement::BranchTargets { name: "ts".to_string(), labels, line: 2 });
    assert_eq!(statements[2], Statement::Pragma("nounroll".to_string()));
    assert_eq!(statements[3], Statement::Location { file: 1, line: 15 });
    assert!(matches!(&statements[4], Statement::Instruction(ret) if ret.opcode == "ret"));
}

#[test]
fn comments_count_lines() {
    let statements = body("// déjà { vu\n/* a\n } b */ ret; // c");
    assert!(matches!(&statements[0], Statement::Instruction(ret) if ret.line == 4));
}

#[test]
fn windows_line_ends() {
    let module = parse(".version 8.0\r\n.target sm_80\r\n.entry k()\r\n{\r\nret;\r\n}\r\n").expect("parses");
    assert_eq!(module.functions[0].line, 3);
}

#[test]
fn constant_expressions() {
    for (text, value) in [
        ("2+3*4", 14i128),
        ("(2+3)*4", 20),
        ("-(1<<4)", -16),
        ("~0", -1),
        ("1<<3+1", 16),
        ("7/2-7 % 4", 0),
        ("(5>3)+(2==2&&!0)", 2),
        ("(0xF0|0x0F)^0x3C", 0xC3),
        ("2*WARP_SZ", 64),
        ("+5", 5),
    ] {
        assert_eq!(operand(text), int(value), "{text}");
    }
    assert_eq!(operand("0.5*3-1"), Operand::Number(Number::F64(0.5f64.to_bits())));
    assert_eq!(operand("[%rd1+4*(2+1)-2]"), memory(name("%rd1"), 10, vec![]));
    assert_eq!(operand("smem+2*8"), Operand::Offset("smem".to_string(), 16));
    assert_eq!(variables(".global .b8 x[2*8][1<<2];")[0].dims, [Some(16), Some(4)]);
    for text in [
        "op 1/0;",
        "op 1<<64;",
        "op 0xFFFFFFFFFFFFFFFF+1;",
        "op ~0.5;",
        "op (1;",
        "op 1+;",
        "op -9223372036854775808-1;",
    ] {
        assert!(parse(&format!(".entry k() {{ {text} }}")).is_err(), "{text}");
    }
}

#[test]
fn directives_of_other_compilers() {
    let module = parse(
        "@@DWARF .section .debug_abbrev ; {\n.version 9.1\n.target sm_90a, texmode_independent, debug\n.file 1 \"a\\\"b.cu\"\n\
         .func .attribute(.unified(1, 2)) (.param .b32 r) f (.param .align 16 .b8 p[32]) .noreturn .abi_preserve 4;\n.alias g, f;\n\
         .weak .func h() { proto: .callprototype (.param .b32 _) _ (.param .b64 _, .param .b64 _) .noreturn;\n\
         all: .calltargets f, g;\nret; }\n.common .global .b32 c;",
    )
    .expect("parses");
    assert_eq!(module.version, (9, 1));
    assert_eq!(module.functions[0].params[0].align, Some(16));
    assert_eq!((module.aliases[0].name.as_str(), module.aliases[0].target.as_str()), ("g", "f"));
    let body = module.functions[1].body.as_ref().expect("a body");
    assert_eq!(body[0], Statement::CallTargets { name: "proto".to_string(), line: 7 });
    assert_eq!(body.len(), 3);
    assert_eq!(module.variables[0].linkage.as_deref(), Some("common"));
}

#[test]
fn initialisers_with_masked_addresses() {
    let found = variables(".global .b8 x[2] = { 0xFF(y), 0xFF00(generic(y)+4) };").remove(0).init;
    let address = |offset, generic, mask| Initial::Address { symbol: "y".to_string(), offset, generic, mask };
    assert_eq!(found, [address(0, false, Some(0xFF)), address(4, true, Some(0xFF00))]);
}
