//! How group normalisation cuts an image among blocks: slabs of channels, chunks of pixels.

use crate::device::{Call, DType, Launch};

/// Threads of a block.
const THREADS: u32 = 256;
/// The most channels of a block.
const SLAB_LIMIT: u32 = 256;
/// The least, where there are as many: bytes that lie together.
const SLAB_LEAST_BYTES: u32 = 64;
/// Bytes of a vector access.
const VECTOR_BYTES: u32 = 16;
/// Elements of a block, if the image has as many.
const SLAB_ELEMENTS: u32 = 8 * 1024;
/// Beyond this the pixels of a slab go to several blocks, of at most half as many elements each.
const CHUNK_ELEMENTS: u32 = 32 * 1024;

/// How many channels a thread takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    One,
    /// 16 bytes.
    Vector,
}

/// Sizes of an image and of a block's share of it. All follow from (H W, C of each input, G): no sum changes its
/// order with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub images: u32,
    pub channels: u32,
    /// Channels of the first input.
    pub first_channels: u32,
    /// H W.
    pub pixels: u32,
    pub group_channels: u32,
    pub width: Width,
    /// Channels of a block.
    pub slab: u32,
    /// Pixels of a block.
    pub chunk: u32,
    /// Threads that add up one group's shares backward: a power of two, at most 32.
    pub lanes: u32,
}

impl Geometry {
    /// # Panics
    /// If `groups` does not divide the channels.
    pub fn new(
        images: usize,
        pixels: usize,
        first_channels: usize,
        channels: usize,
        groups: usize,
        dtype: DType,
    ) -> Geometry {
        assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups of {channels} channels");
        let [images, pixels, first_channels, channels, groups] =
            [images, pixels, first_channels, channels, groups]
                .map(|size| u32::try_from(size).expect("a tensor's sizes fit in 32 bits"));
        let bytes = dtype.bytes() as u32;
        let vector = VECTOR_BYTES / bytes;
        let vectors = channels.is_multiple_of(vector) && first_channels.is_multiple_of(vector);
        let (width, step) = if vectors { (Width::Vector, vector) } else { (Width::One, 1) };
        let slab = slab(pixels, channels, step, SLAB_LEAST_BYTES / bytes);
        let chunk = chunk(pixels, slab);
        let group_channels = channels / groups;
        let shares = group_channels.saturating_mul(pixels.div_ceil(chunk));
        let lanes = shares.next_power_of_two().min(32);
        Geometry { images, channels, first_channels, pixels, group_channels, width, slab, chunk, lanes }
    }

    /// Blocks that share the pixels of an image.
    pub fn chunks(&self) -> usize {
        self.pixels.div_ceil(self.chunk) as usize
    }

    /// 1 / (elements of a group).
    pub fn inverse_count(&self) -> f32 {
        (1.0 / (f64::from(self.pixels) * f64::from(self.group_channels))) as f32
    }

    /// The call on a block for each chunk of each slab of each image.
    pub fn place(&self, call: Call) -> Launch {
        call.grid(self.chunks(), self.channels.div_ceil(self.slab) as usize, self.images as usize)
    }
}

/// Channels of a block, a multiple of `width`: enough for a block's work, spread evenly, at least `least`.
fn slab(pixels: u32, channels: u32, width: u32, least: u32) -> u32 {
    let limit = SLAB_LIMIT.min(width * THREADS);
    let wanted = SLAB_ELEMENTS.div_ceil(pixels).clamp(least, limit);
    let slabs = channels.div_ceil(wanted.next_multiple_of(width));
    channels.div_ceil(slabs).next_multiple_of(width)
}

/// Pixels of a block.
fn chunk(pixels: u32, slab: u32) -> u32 {
    let elements = u64::from(pixels) * u64::from(slab);
    if elements <= u64::from(CHUNK_ELEMENTS) {
        return pixels;
    }
    let chunks = elements.div_ceil(u64::from(CHUNK_ELEMENTS / 2));
    u64::from(pixels).div_ceil(chunks) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shape gives blocks that fit, and whole chunks that cover the pixels.
    #[test]
    fn blocks_fit() {
        for pixels in [1, 2, 15, 64, 256, 1000, 1024, 4096, 65536, 1 << 20] {
            for channels in [1, 2, 3, 4, 12, 31, 32, 96, 128, 384, 1000, 1024, 2048] {
                for dtype in [DType::F32, DType::BF16] {
                    let g = Geometry::new(3, pixels, channels, channels, 1, dtype);
                    let width =
                        if g.width == Width::Vector { VECTOR_BYTES / dtype.bytes() as u32 } else { 1 };
                    assert!(g.slab.is_multiple_of(width) && g.slab <= SLAB_LIMIT, "{g:?}");
                    assert!(g.slab / width <= THREADS && g.lanes.is_power_of_two(), "{g:?}");
                    assert!(g.chunks() * g.chunk as usize >= pixels, "{g:?}");
                    assert!((g.chunks() - 1) * (g.chunk as usize) < pixels, "{g:?}");
                }
            }
        }
    }

    /// The big network's largest image is shared by many blocks, CIFAR's is not.
    #[test]
    fn large_images_are_chunked() {
        assert_eq!(Geometry::new(1, 32 * 32, 128, 128, 32, DType::F32).chunks(), 1);
        assert_eq!(Geometry::new(1, 256 * 256, 128, 128, 32, DType::F32).chunks(), 64);
    }
}
