//! Matrix products beyond those of `matrix`: sums of f16, integers, f64, and the order of 16-bit sums.

use crate::probe::words;
use crate::rounding::{BF16, F16, Format, Rounding};

/// Numbers without a pattern.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// Runs a product whose fragments have `d`, `a`, `b`, `c` registers of 32 bits (64 if `wide`): `input` holds A, B and
/// C of lane after lane; the result is D of lane after lane.
fn product(instruction: &str, [d, a, b, c]: [u32; 4], wide: bool, input: &[u32]) -> Vec<u32> {
    let (bits, bytes) = if wide { (64, 8) } else { (32, 4) };
    let list = |letter: &str, count: u32| {
        let names: Vec<String> = (0..count).map(|i| format!("%{letter}{i}")).collect();
        format!("{{{}}}", names.join(", "))
    };
    let mut loads = String::new();
    for (letter, count, first) in [("a", a, 0), ("b", b, a), ("c", c, a + b)] {
        for i in 0..count {
            loads += &format!("ld.global.b{bits} %{letter}{i}, [%at+{}];\n", bytes * (first + i));
        }
    }
    let mut results = vec![0; (32 * d * bytes / 4) as usize];
    for register in 0..d {
        let body = format!(
            ".reg .b{bits} %a<8>, %b<8>, %c<8>, %d<8>; .reg .b64 %at; mul.wide.u32 %at, %me, {}; add.u64 %at, %at, %in;\n\
             {loads}{instruction} {}, {}, {}, {};\nst.global.b{bits} [%out], %d{register};",
            bytes * (a + b + c),
            list("d", d),
            list("a", a),
            list("b", b),
            list("c", c),
        );
        let found: Vec<u32> = if wide {
            words::<u64>(32, "", &body, input)
                .into_iter()
                .flat_map(|x| [x as u32, (x >> 32) as u32])
                .collect()
        } else {
            words::<u32>(32, "", &body, input)
        };
        let size = (bytes / 4) as usize;
        for (lane, word) in found.chunks(size).enumerate() {
            let at = (lane * d as usize + register as usize) * size;
            results[at..at + size].copy_from_slice(word);
        }
    }
    results
}

/// Row and column of element `i` of a lane's C or D.
fn c_place(lane: usize, i: usize) -> (usize, usize) {
    (lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2)
}

/// Sums of products as the device defines them: even k, odd k, each fused in ascending order, then both, then C.
fn in_order(products: &[(f64, f64)], c: f64) -> f32 {
    let chain = |first: usize| {
        products.iter().skip(first).step_by(2).fold(0f32, |sum, (a, b)| (*a as f32).mul_add(*b as f32, sum))
    };
    c as f32 + (chain(0) + chain(1))
}

/// Random 16-bit factors of m16n8kK: the fragments' words, and the matrices by row and column.
fn factors(numbers: &mut Numbers, format: Format, k: usize) -> (Vec<Vec<u32>>, Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut element = || {
        // Modest exponents, so that sums are neither exact nor infinite.
        let value = f64::from(numbers.next() % 4001) / 1000.0 - 2.0;
        format.bits(value, Rounding::Nearest)
    };
    let mut a: Vec<Vec<u64>> = (0..16).map(|_| (0..k).map(|_| element()).collect()).collect();
    let mut b: Vec<Vec<u64>> = (0..8).map(|_| (0..k).map(|_| element()).collect()).collect();
    // Beside 2^24 a 1 is lost, beside -2^24 it is not: their sum tells the order.
    let [one, large] = [1.0, 4096.0].map(|x| format.bits(x, Rounding::Nearest));
    (a[0], b[0]) = (vec![one; k], vec![one; k]);
    (a[0][0], a[0][1], b[0][0], b[0][1]) = (large, large | 0x8000, large, large);
    let pair = |row: &[u64], at: usize| (row[at] | row[at + 1] << 16) as u32;
    let lanes = (0..32).map(|lane| {
        let (group, member) = (lane / 4, lane % 4);
        let a_words = (0..k / 4).map(|r| pair(&a[group + 8 * (r % 2)], 2 * member + 8 * (r / 2)));
        let b_words = (0..k / 8).map(|r| pair(&b[group], 2 * member + 8 * r));
        a_words.chain(b_words).collect()
    });
    let values =
        |rows: &[Vec<u64>]| rows.iter().map(|row| row.iter().map(|x| format.value(*x)).collect()).collect();
    (lanes.collect(), values(&a), values(&b))
}

/// Bit for bit: every level of the device has this order.
#[test]
fn sixteen_bit_sums_have_one_order() {
    let mut numbers = Numbers(7);
    for (format, ty) in [(F16, "f16"), (BF16, "bf16")] {
        for k in [8usize, 16] {
            for _ in 0..4 {
                let (lanes, a, b) = factors(&mut numbers, format, k);
                let c: Vec<f32> = (0..128).map(|_| numbers.next() as f32 / 1e9 - 1.0).collect();
                let mut input = Vec::new();
                for (lane, words) in lanes.iter().enumerate() {
                    input.extend(words);
                    input.extend((0..4).map(|i| c[4 * lane + i].to_bits()));
                }
                let text = format!("mma.sync.aligned.m16n8k{k}.row.col.f32.{ty}.{ty}.f32");
                let found = product(&text, [4, k as u32 / 4, k as u32 / 8, 4], false, &input);
                for (at, got) in found.iter().enumerate() {
                    let (row, column) = c_place(at / 4, at % 4);
                    let pairs: Vec<_> = (0..k).map(|i| (a[row][i], b[column][i])).collect();
                    let wanted = in_order(&pairs, c[at].into());
                    assert_eq!(*got, wanted.to_bits(), "{text} row {row}, column {column}");
                }
            }
        }
    }
}

/// The sum in f32, rounded once to f16.
#[test]
fn sums_of_f16() {
    let mut numbers = Numbers(11);
    for k in [8usize, 16] {
        let (lanes, a, b) = factors(&mut numbers, F16, k);
        let c: Vec<u64> =
            (0..128).map(|_| F16.bits(f64::from(numbers.next() % 999) / 100.0, Rounding::Nearest)).collect();
        let mut input = Vec::new();
        for (lane, words) in lanes.iter().enumerate() {
            input.extend(words);
            input.extend([0, 2].map(|i| (c[4 * lane + i] | c[4 * lane + i + 1] << 16) as u32));
        }
        let text = format!("mma.sync.aligned.m16n8k{k}.row.col.f16.f16.f16.f16");
        let found = product(&text, [2, k as u32 / 4, k as u32 / 8, 2], false, &input);
        for at in 0..128 {
            let got = u64::from(found[at / 2] >> (16 * (at % 2)) & 0xFFFF);
            let (row, column) = c_place(at / 4, at % 4);
            let pairs: Vec<_> = (0..k).map(|i| (a[row][i], b[column][i])).collect();
            let wanted = F16.bits(in_order(&pairs, F16.value(c[at])).into(), Rounding::Nearest);
            assert_eq!(got, wanted, "{text} row {row}, column {column}");
        }
    }
}

#[test]
fn products_of_integers() {
    let mut numbers = Numbers(13);
    let shapes = [(8usize, 16usize, 8u32), (16, 16, 8), (16, 32, 8), (8, 32, 4), (16, 32, 4), (16, 64, 4)];
    for (m, k, bits) in shapes {
        for (a_signed, b_signed) in [(false, false), (false, true), (true, false), (true, true)] {
            for (saturate, start) in
                [("", 0), (".satfinite", i32::MAX - 1000), (".satfinite", i32::MIN + 1000), ("", i32::MAX)]
            {
                let mut element = || numbers.next() & ((1 << bits) - 1);
                let a: Vec<Vec<u32>> = (0..m).map(|_| (0..k).map(|_| element()).collect()).collect();
                let b: Vec<Vec<u32>> = (0..8).map(|_| (0..k).map(|_| element()).collect()).collect();
                let pack = (32 / bits) as usize;
                let word =
                    |row: &[u32], at: usize| (0..pack).fold(0, |w, i| w | row[at + i] << (bits * i as u32));
                let (halves, steps) = (m / 8, k / (4 * pack));
                let mut input = Vec::new();
                for lane in 0..32 {
                    let (group, member) = (lane / 4, lane % 4);
                    input.extend((0..halves * steps).map(|r| {
                        word(&a[group + 8 * (r % halves)], pack * member + 4 * pack * (r / halves))
                    }));
                    input.extend((0..steps).map(|r| word(&b[group], pack * member + 4 * pack * r)));
                    input
                        .extend((0..2 * halves).map(|i| {
                            (start + (lane * 4 + i) as i32 * if start < 0 { 1 } else { -1 }) as u32
                        }));
                }
                let name = |signed: bool| format!("{}{bits}", if signed { 's' } else { 'u' });
                let (ta, tb) = (name(a_signed), name(b_signed));
                let text = format!("mma.sync.aligned.m{m}n8k{k}.row.col{saturate}.s32.{ta}.{tb}.s32");
                let c_count = 2 * halves;
                let counts = [c_count, halves * steps, steps, c_count].map(|n| n as u32);
                let found = product(&text, counts, false, &input);
                let value = |x: u32, signed: bool| {
                    if signed && x >> (bits - 1) == 1 { i64::from(x) - (1 << bits) } else { i64::from(x) }
                };
                for (at, got) in found.iter().enumerate() {
                    let (lane, i) = (at / c_count, at % c_count);
                    let (row, column) = c_place(lane, i);
                    let c = i64::from(start + (lane * 4 + i) as i32 * if start < 0 { 1 } else { -1 });
                    let sum: i64 = c
                        + (0..k)
                            .map(|k| value(a[row][k], a_signed) * value(b[column][k], b_signed))
                            .sum::<i64>();
                    let clamped = sum.clamp(i32::MIN.into(), i32::MAX.into());
                    let wanted = if saturate.is_empty() { sum as u32 } else { clamped as u32 };
                    assert_eq!(*got, wanted, "{text} row {row}, column {column}");
                }
            }
        }
    }
}

#[test]
fn products_of_doubles() {
    let mut numbers = Numbers(17);
    let mut number = || f64::from(numbers.next()) / 1e9 - 1.0;
    let a: Vec<f64> = (0..32).map(|_| number()).collect();
    let b: Vec<f64> = (0..32).map(|_| number()).collect();
    let c: Vec<f64> = (0..64).map(|_| number()).collect();
    let halves = |x: f64| [x.to_bits() as u32, (x.to_bits() >> 32) as u32];
    let input: Vec<u32> = (0..32)
        .flat_map(|lane| [a[lane], b[lane], c[2 * lane], c[2 * lane + 1]].map(halves))
        .flatten()
        .collect();
    let text = "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64";
    let found = product(text, [2, 1, 1, 2], true, &input);
    for (at, words) in found.chunks(2).enumerate() {
        let got = f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32);
        let (row, column) = (at / 2 / 4, 2 * (at / 2 % 4) + at % 2);
        let exact: f64 = c[at] + (0..4).map(|k| a[4 * row + k] * b[4 * column + k]).sum::<f64>();
        // Four roundings of terms below 2.
        assert!((got - exact).abs() < 16.0 * f64::EPSILON, "row {row}, column {column}: {got}, not {exact}");
    }
}
