//! Opcode by opcode: which reader knows it.

use super::reader::{Reader, Result};
use super::scope::Scope;
use super::{Instruction, Op};
use super::{atomic, cluster, compare, convert, copy, data, float, integer, matrix, mbarrier, order, warp};
use crate::ptx::ast;

/// Types one instruction.
pub(super) fn decode(scope: &mut Scope, instruction: &ast::Instruction) -> Result<Instruction> {
    let reader = Reader::new(scope, instruction);
    match instruction.opcode.as_str() {
        "mov" => data::mov(reader),
        "ld" | "ldu" => data::load(reader),
        "st" => data::store(reader),
        "cvta" => data::convert_address(reader),
        "isspacep" => data::is_in_space(reader),
        "atom" => atomic::atomic(reader, true),
        "red" => atomic::atomic(reader, false),
        "cp" => copy::copy_async(reader),
        "mbarrier" => mbarrier::mbarrier(reader),
        "membar" | "fence" => order::fence(reader),
        "prefetch" | "prefetchu" | "discard" | "applypriority" => order::prefetch(reader),
        "createpolicy" => order::create_policy(reader),

        "ldmatrix" => matrix::load_matrix(reader),
        "stmatrix" => matrix::store_matrix(reader),
        "movmatrix" => matrix::move_matrix(reader),
        "mma" => matrix::mma(reader),

        "add" | "sub" => integer::add_sub(reader),
        "addc" | "subc" => integer::carry(reader, true),
        "mul" | "mad" => integer::multiply(reader),
        "madc" => integer::mad_carry(reader, true),
        "mul24" | "mad24" => integer::multiply_24(reader),
        "dp4a" | "dp2a" => integer::dot(reader),
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
        "bfind" => integer::find(reader),
        "bmsk" | "szext" => integer::field(reader),
        "fns" => integer::find_nth_set(reader),
        "prmt" => integer::permute(reader),

        "fma" => float::fma(reader),
        "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => float::unary(reader),
        "copysign" => float::copysign(reader),
        "testp" => float::test(reader),
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
        "brkpt" => reader.fail("there is no debugger"),
        "pmevent" => reader.fail("there are no performance monitor events"),
        "wgmma" | "setmaxnreg" | "tcgen05" => reader.fail("is for one architecture only"),
        other => {
            let message = format!("unknown opcode {other}");
            reader.fail(message)
        }
    }
}
