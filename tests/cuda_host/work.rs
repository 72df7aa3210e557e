//! Memory, launches, recordings and time, as the driver sees them.

use crate::kernels::{scale, touch};
use crate::library::{Library, calls, calls_that, with_library};
use ddpm_ptx::device::{Device, Launch};

fn fake() -> Device {
    Device::cuda(0).unwrap()
}

/// Bytes that repeat with a period that no chunk size divides.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn copies_return_what_was_written() {
    with_library("work::copies_return_what_was_written", Library::Fake(""), || {
        // Around a staging slot of 4 MiB: less, exactly, and more than two of them.
        for len in [1, 7, 4 << 20, (4 << 20) + 1, (12 << 20) + 5] {
            let data = pattern(len);
            let buffer = fake().upload(&data).unwrap();
            assert_eq!(buffer.address() % 256, 0);
            assert!(buffer.to_vec::<u8>().unwrap() == data, "{len} bytes");
        }
    });
}

#[test]
fn copies_keep_their_order_and_place() {
    with_library("work::copies_keep_their_order_and_place", Library::Fake(""), || {
        let device = fake();
        let buffer = device.alloc::<u32>(6).unwrap();
        buffer.fill(0).unwrap();
        let mut data = vec![1u32, 2, 3, 4];
        buffer.write(1, &data).unwrap();
        // The copy is still queued; what it copies must not be this.
        data.fill(99);
        buffer.write(3, &[7u32]).unwrap();
        assert_eq!(buffer.to_vec::<u32>().unwrap(), [0, 1, 2, 7, 4, 0]);
        let mut two = [0u32; 2];
        buffer.read(2, &mut two).unwrap();
        assert_eq!(two, [2, 7]);
    });
}

#[test]
fn empty_buffers_work() {
    with_library("work::empty_buffers_work", Library::Fake(""), || {
        let buffer = fake().upload::<f32>(&[]).unwrap();
        buffer.fill(0).unwrap();
        assert!(buffer.to_vec::<f32>().unwrap().is_empty());
    });
}

#[test]
fn freed_memory_is_kept_in_the_pool() {
    with_library("work::freed_memory_is_kept_in_the_pool", Library::Fake(""), || {
        drop(fake().alloc::<f32>(3).unwrap());
        let expected = [
            format!("pool 77 attribute 4 = {}", u64::MAX),
            "alloc 12 on stream 1".into(),
            "free on stream 1".into(),
        ];
        assert_eq!(calls_that(&["pool", "alloc", "free"]), expected);
    });
}

#[test]
fn without_pools_freeing_waits() {
    with_library("work::without_pools_freeing_waits", Library::Fake("pools=0"), || {
        let buffer = fake().upload(&[1u8; 9]).unwrap();
        buffer.fill(0).unwrap();
        drop(buffer);
        assert_eq!(calls_that(&["pool", "alloc", "free"]), ["alloc 9", "free with 0 works queued"]);
    });
}

#[test]
fn launch_has_geometry_and_arguments() {
    with_library("work::launch_has_geometry_and_arguments", Library::Fake(""), || {
        let device = fake();
        let (x, y) = (device.alloc::<f32>(8).unwrap(), device.alloc::<f32>(8).unwrap());
        device.launch(&scale(x.address(), y.address()).shared_bytes(1024).grid(5, 3, 2)).unwrap();
        device.launch(&touch().grid(1, 1, 1)).unwrap();
        let expected = [
            format!(
                "launch scale<<<5,3,2; 128,2,1; 1024>>>({:#x}, 0x0, {:#x}, 4000000000, -3, 1.5, -0.125) on stream 1",
                x.address(),
                y.address()
            ),
            "launch touch<<<1,1,1; 32,1,1; 0>>>() on stream 1".into(),
        ];
        assert_eq!(calls_that(&["launch"]), expected);
    });
}

#[test]
fn much_shared_memory_is_asked_for_once() {
    with_library("work::much_shared_memory_is_asked_for_once", Library::Fake("static_shared=1024"), || {
        let device = fake();
        let with = |bytes| touch().shared_bytes(bytes).grid(1, 1, 1);
        device.launch(&with(47 << 10)).unwrap();
        assert_eq!(calls_that(&["allow"]), [""; 0]);
        device.launch(&with((47 << 10) + 4)).unwrap();
        device.launch(&with(226 << 10)).unwrap();
        assert_eq!(calls_that(&["allow"]), [format!("allow touch {} shared", 226 << 10)]);
    });
}

#[test]
fn recording_is_one_graph() {
    with_library("work::recording_is_one_graph", Library::Fake(""), || {
        let device = fake();
        let x = device.alloc::<f32>(8).unwrap();
        let launches: Vec<Launch> =
            vec![touch().grid(2, 1, 1), scale(x.address(), x.address()).grid(1, 1, 1), touch().grid(3, 1, 1)];
        let replay = device.record(launches).unwrap();
        assert_eq!(calls_that(&["launch", "graph", "node"]), [""; 0], "recording runs nothing");
        // Not on the device's stream, which other threads may be using.
        assert_ne!(calls_that(&["capture"]), ["capture on stream 1"]);
        assert_eq!(calls_that(&["instantiate"]), ["instantiate 3 nodes"]);
        replay.run().unwrap();
        replay.run().unwrap();
        let at = format!("{:#x}", x.address());
        let run = [
            "graph on stream 1".to_string(),
            "node touch<<<2,1,1; 32,1,1; 0>>>()".into(),
            format!("node scale<<<1,1,1; 128,2,1; 0>>>({at}, 0x0, {at}, 4000000000, -3, 1.5, -0.125)"),
            "node touch<<<3,1,1; 32,1,1; 0>>>()".into(),
        ];
        assert_eq!(calls_that(&["launch", "graph", "node"]), [run.clone(), run].concat());
    });
}

/// What a recording does where the driver says, at one step or another, that it has no graphs.
fn loops() {
    let replay = fake().record(vec![touch().grid(2, 1, 1), touch().grid(3, 1, 1)]).unwrap();
    assert_eq!(calls_that(&["launch"]), [""; 0], "recording runs nothing");
    replay.run().unwrap();
    let expected = [
        "launch touch<<<2,1,1; 32,1,1; 0>>>() on stream 1",
        "launch touch<<<3,1,1; 32,1,1; 0>>>() on stream 1",
    ];
    assert_eq!(calls_that(&["launch", "graph"]), expected);
}

#[test]
fn recording_without_capture_loops() {
    with_library(
        "work::recording_without_capture_loops",
        Library::Fake("cuStreamBeginCapture_v2=801"),
        loops,
    );
}

#[test]
fn recording_with_a_refused_capture_loops() {
    with_library(
        "work::recording_with_a_refused_capture_loops",
        Library::Fake("cuStreamEndCapture=900"),
        loops,
    );
}

#[test]
fn recording_without_instances_loops() {
    let settings = Library::Fake("cuGraphInstantiateWithFlags=801");
    with_library("work::recording_without_instances_loops", settings, loops);
}

#[test]
fn recording_outlives_its_device() {
    with_library("work::recording_outlives_its_device", Library::Fake(""), || {
        let replay = fake().record(vec![touch().grid(1, 1, 1)]).unwrap();
        replay.run().unwrap();
        assert_eq!(calls_that(&["release"]), [""; 0]);
        drop(replay);
        assert_eq!(calls_that(&["release"]), ["release 0: live [], 0 allocations, 0 pinned"]);
    });
}

#[test]
fn time_is_between_two_events() {
    with_library("work::time_is_between_two_events", Library::Fake(""), || {
        let device = fake();
        let time = device.time(|| device.launch(&touch().grid(1, 1, 1))).unwrap();
        assert_eq!(time.as_micros(), 1500);
        let expected = ["time", "launch touch<<<1,1,1; 32,1,1; 0>>>() on stream 1", "time"];
        assert_eq!(calls_that(&["time", "launch"]), expected);
    });
}

#[test]
fn any_thread_may_use_a_device() {
    with_library("work::any_thread_may_use_a_device", Library::Fake(""), || {
        let device = fake();
        let buffer = device.upload(&[3u8; 5]).unwrap();
        let replay = device.record(vec![touch().grid(1, 1, 1)]).unwrap();
        // The driver refuses calls on a thread where no context is current. Everything is dropped there too.
        let work = move || {
            replay.run().unwrap();
            device.synchronize().unwrap();
            buffer.to_vec::<u8>().unwrap()
        };
        assert_eq!(std::thread::spawn(work).join().unwrap(), [3; 5]);
        assert_eq!(calls_that(&["release"]), ["release 0: live [], 0 allocations, 0 pinned"]);
    });
}

#[test]
fn everything_is_given_back_before_the_context() {
    with_library("work::everything_is_given_back_before_the_context", Library::Fake(""), || {
        let device = fake();
        let buffer = device.upload(&[1u8; 5]).unwrap();
        device.launch(&touch().grid(1, 1, 1)).unwrap();
        drop(device);
        assert_eq!(buffer.to_vec::<u8>().unwrap(), [1; 5], "a buffer keeps its device");
        drop(buffer);
        assert_eq!(calls().last().unwrap(), "release 0: live [], 0 allocations, 0 pinned");
    });
}
