//! Finds which of many boxes another box may meet without asking each.

use super::ranks::narrow;
use super::stream::PROTOCOL;
use crate::model::PlainBox;

/// The boxes that are still open, by their sides.
pub(super) struct Index {
    /// A bit for each open box, and which words of it are not zero.
    open: Vec<u64>,
    words: u64,
    axes: [Axis; 3],
}

/// For each block of values of one side, the boxes that are in it.
struct Axis {
    side: usize,
    /// Blocks by the upper bits of a value, the finest first.
    grids: Vec<Grid>,
}

struct Grid {
    shift: u32,
    row_of: Vec<u32>,
    rows: Vec<u64>,
    words_of: Vec<u64>,
}

impl Index {
    /// So many boxes can be told apart: one bit a word of 64.
    pub(super) const MOST: usize = 64 * 64;

    /// `None` is a box that is not open, which keeps its number.
    pub(super) fn new(boxes: &[Option<PlainBox>]) -> Self {
        let mut open = vec![0; boxes.len().div_ceil(64)];
        for (n, _) in boxes.iter().enumerate().filter(|(_, cube)| cube.is_some()) {
            open[n / 64] |= 1 << (n % 64);
        }
        let axis = |side, shifts: &[u32]| Axis {
            side,
            grids: shifts.iter().map(|shift| Grid::new(boxes, side, *shift)).collect(),
        };
        Self { words: words(&open), open, axes: [axis(1, &[16, 24]), axis(0, &[16, 24]), axis(PROTOCOL, &[0])] }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// The box of that number is not open any more.
    pub(super) fn drop(&mut self, n: usize) {
        self.open[n / 64] &= !(1 << (n % 64));
        if self.open[n / 64] == 0 {
            self.words &= !(1 << (n / 64));
        }
    }

    /// The numbers of open boxes that may meet another one.
    pub(super) fn each(&self, cube: &PlainBox, mut found: impl FnMut(usize)) {
        let rows = self.axes.each_ref().map(|axis| axis.row(cube));
        let mut left = rows.iter().flatten().fold(self.words, |left, (words, _)| left & words);
        while left != 0 {
            let word = left.trailing_zeros() as usize;
            left &= left - 1;
            let mut bits = rows.iter().flatten().fold(self.open[word], |bits, (_, row)| bits & row[word]);
            while bits != 0 {
                found(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

impl Axis {
    /// The boxes in the smallest block that holds a side of the box, if there is one.
    fn row(&self, cube: &PlainBox) -> Option<(u64, &[u64])> {
        let (first, last) = cube[self.side];
        let grid = self.grids.iter().find(|grid| first >> grid.shift == last >> grid.shift)?;
        let row = grid.row_of[(first >> grid.shift) as usize] as usize;
        let width = grid.rows.len() / grid.words_of.len();
        Some((grid.words_of[row], &grid.rows[row * width..(row + 1) * width]))
    }
}

impl Grid {
    fn new(boxes: &[Option<PlainBox>], side: usize, shift: u32) -> Self {
        let bits = if side == PROTOCOL { 8 } else { 32 };
        let width = boxes.len().div_ceil(64).max(1);
        let mut events: Vec<(u32, usize)> = Vec::new();
        for (n, cube) in boxes.iter().enumerate().filter_map(|(n, cube)| Some((n, cube.as_ref()?))) {
            let (first, last) = cube[side];
            events.extend([(first >> shift, n), ((last >> shift) + 1, n)]);
        }
        events.sort_unstable();
        let mut events = events.into_iter().peekable();
        let mut out = Self { shift, row_of: Vec::new(), rows: vec![0; width], words_of: vec![0] };
        for block in 0..1u32 << (bits - shift) {
            if events.peek().is_some_and(|(at, _)| *at == block) {
                let start = out.rows.len();
                out.rows.extend_from_within(start - width..);
                while let Some((_, n)) = events.next_if(|(at, _)| *at == block) {
                    out.rows[start + n / 64] ^= 1 << (n % 64);
                }
                out.words_of.push(words(&out.rows[start..]));
            }
            out.row_of.push(narrow(out.words_of.len() - 1));
        }
        out
    }
}

/// Which words are not zero, of at most 64.
fn words(row: &[u64]) -> u64 {
    row.iter().enumerate().filter(|(_, word)| **word != 0).fold(0, |words, (n, _)| words | 1 << n)
}
