//! Opcode by opcode: which reader knows it.

use super::reader::{Reader, Result};
use super::scope::Scope;
use super::{Instruction, Op};
use super::{cluster, compare, convert, data, float, integer, warp};
use crate::ptx::ast;

/// Types one instruction.
pub(super) fn decode(scope: &mut Scope, instruction: &ast::Instruction) -> Result<Instruction> {
    let reader = Reader::new(scope, instruction);
    match instruction.opcode.as_str() {
        "mov" => data::mov(reader),
        "ld" | "ldu" => data::load(reader),
        "st" => data::store(reader),
        "cvta" => data::convert_address(reader),
        "atom" => data::atomic(reader, true),
        "red" => data::atomic(reader, false),
        "cp" => data::copy_async(reader),
        "ldmatrix" => data::load_matrix(reader),
        "movmatrix" => data::move_matrix(reader),
        "prefetch" | "prefetchu" | "membar" | "fence" | "discard" | "applypriority" => no_effect(reader),

        "add" | "sub" => integer::add_sub(reader),
        "addc" | "subc" => integer::carry(reader, true),
        "mul" | "mad" => integer::multiply(reader),
        "div" => integer::divide(reader),
        "rem" => integer::binary(reader, super::IntBinary::Rem),
        "abs" | "neg" => integer::sign(reader),
        "min" | "max" => integer::extreme(reader),
        "and" | "or" | "xor" => integer::logic(reader),
        "not" | "cnot" => integer::not(reader),
        "shl" | "shr" => integer::shift(reader),
        "shf" => integer::funnel_shift(reader),
        "lop3" => integer::lop3(reader),
        "sad" => integer::sad(reader),
        "bfe" | "bfi" => integer::bit_field(reader),
        "popc" | "clz" | "brev" => integer::bits(reader),
        "prmt" => integer::permute(reader),

        "fma" => float::fma(reader),
        "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => float::unary(reader),
        "copysign" => float::copysign(reader),
        "cvt" => convert::convert(reader),

        "setp" => compare::setp(reader),
        "set" => compare::set(reader),
        "selp" => compare::selp(reader),
        "slct" => compare::slct(reader),

        "shfl" => warp::shuffle(reader),
        "vote" => warp::vote(reader),
        "match" => warp::matching(reader),
        "redux" => warp::reduce(reader),
        "elect" => warp::elect(reader),
        "activemask" => warp::active_mask(reader),
        "mma" => warp::mma(reader),
        "bar" | "barrier" => warp::barrier(reader),
        "bra" => warp::branch(reader),
        "mapa" => cluster::map_address(reader),
        "getctarank" => cluster::rank_of_address(reader),
        "griddepcontrol" => cluster::grid_dependency(reader),
        "brx" => warp::branch_indexed(reader),
        "ret" => warp::ret(reader),
        "exit" => warp::simple(reader, Op::Exit),
        "trap" => warp::simple(reader, Op::Trap),
        "nanosleep" => warp::sleep(reader),
        other => {
            let message = format!("unknown opcode {other}");
            reader.fail(message)
        }
    }
}

/// Fences and prefetches: memory is sequentially consistent here and has no caches to warm.
fn no_effect(mut reader: Reader) -> Result<Instruction> {
    const KNOWN: [&str; 22] = [
        "acq_rel",
        "sc",
        "acquire",
        "release",
        "cta",
        "gl",
        "gpu",
        "sys",
        "cluster",
        "global",
        "local",
        "L1",
        "L2",
        "proxy",
        "async",
        "alias",
        "L2::evict_last",
        "L2::evict_normal",
        "async.shared::cta",
        "async::generic",
        "shared::cta",
        "L2::128B",
    ];
    reader.ignore(|modifier| KNOWN.contains(&modifier));
    reader.done(Op::Nop, Vec::new(), Vec::new())
}
