//! Names that tensors had elsewhere, in the names of today's diffusers.

/// For a name of the first google/ddpm-* files: the parts of attention were called otherwise.
pub fn of_old_diffusers(name: &str) -> String {
    let renamed =
        [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];
    match renamed.iter().find(|(old, _)| name.contains(old)) {
        Some((old, new)) if name.contains(".attentions.") => name.replace(old, new),
        _ => name.to_string(),
    }
}

/// For a name of the authors' code, in the PyTorch conversions of their checkpoints, of a network of `levels`
/// resolutions: theirs of the way up count from full resolution, diffusers' from the lowest.
pub fn of_authors(name: &str, levels: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match *parts.as_slice() {
        ["temb", "dense", "0", kind] => format!("time_embedding.linear_1.{kind}"),
        ["temb", "dense", "1", kind] => format!("time_embedding.linear_2.{kind}"),
        ["norm_out", kind] => format!("conv_norm_out.{kind}"),
        ["down", level, ref rest @ ..] => format!("down_blocks.{level}.{}", in_level(rest)),
        ["up", level, ref rest @ ..] => match level.parse::<usize>() {
            Ok(level) if level < levels => format!("up_blocks.{}.{}", levels - 1 - level, in_level(rest)),
            _ => name.to_string(),
        },
        ["mid", "attn_1", ref rest @ ..] => format!("mid_block.attentions.0.{}", in_attention(rest)),
        ["mid", "block_1", ref rest @ ..] => format!("mid_block.resnets.0.{}", in_resnet(rest)),
        ["mid", "block_2", ref rest @ ..] => format!("mid_block.resnets.1.{}", in_resnet(rest)),
        _ => name.to_string(),
    }
}

/// Of a part of a level, `block.1.conv1.weight`.
fn in_level(parts: &[&str]) -> String {
    match *parts {
        ["block", number, ref rest @ ..] => format!("resnets.{number}.{}", in_resnet(rest)),
        ["attn", number, ref rest @ ..] => format!("attentions.{number}.{}", in_attention(rest)),
        // The earliest conversion had the convolution as an operation of its own.
        ["downsample", "conv" | "op", kind] => format!("downsamplers.0.conv.{kind}"),
        ["upsample", "conv", kind] => format!("upsamplers.0.conv.{kind}"),
        _ => parts.join("."),
    }
}

fn in_resnet(parts: &[&str]) -> String {
    match *parts {
        ["temb_proj", kind] => format!("time_emb_proj.{kind}"),
        ["nin_shortcut", kind] => format!("conv_shortcut.{kind}"),
        _ => parts.join("."),
    }
}

fn in_attention(parts: &[&str]) -> String {
    match *parts {
        ["norm", kind] => format!("group_norm.{kind}"),
        ["q", kind] => format!("to_q.{kind}"),
        ["k", kind] => format!("to_k.{kind}"),
        ["v", kind] => format!("to_v.{kind}"),
        ["proj_out", kind] => format!("to_out.0.{kind}"),
        _ => parts.join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_authors() {
        for (theirs, todays) in [
            ("conv_in.weight", "conv_in.weight"),
            ("temb.dense.1.bias", "time_embedding.linear_2.bias"),
            ("down.1.block.0.nin_shortcut.weight", "down_blocks.1.resnets.0.conv_shortcut.weight"),
            ("down.1.attn.1.proj_out.bias", "down_blocks.1.attentions.1.to_out.0.bias"),
            ("down.2.downsample.conv.weight", "down_blocks.2.downsamplers.0.conv.weight"),
            ("mid.block_2.temb_proj.weight", "mid_block.resnets.1.time_emb_proj.weight"),
            ("mid.attn_1.norm.weight", "mid_block.attentions.0.group_norm.weight"),
            ("up.0.block.2.conv1.weight", "up_blocks.3.resnets.2.conv1.weight"),
            ("up.3.upsample.conv.bias", "up_blocks.0.upsamplers.0.conv.bias"),
            ("norm_out.weight", "conv_norm_out.weight"),
            ("up.9.upsample.conv.bias", "up.9.upsample.conv.bias"),
        ] {
            assert_eq!(of_authors(theirs, 4), todays);
        }
    }
}
