/// A random layered graph: three inputs each, from the layer before.
#[derive(Debug)]
pub struct Layers {
    /// The number of nodes in a layer.
    pub width: usize,
    /// For each layer but the first, for each of its nodes: which nodes of the layer before.
    pub inputs: Vec<Vec<[usize; 3]>>,
}

impl Layers {
    /// Draws a graph; the same sizes give the same graph.
    pub fn new(layers: usize, width: usize) -> Self {
        let mut state: u64 = 42;
        let mut next = || {
            // Knuth's multiplier: good enough to spread the edges, the same on every machine.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % width
        };
        let inputs = (1..layers)
            .map(|_| (0..width).map(|_| [next(), next(), next()]).collect())
            .collect();
        Self { width, inputs }
    }

    /// What the last layer adds up to, computed without any runtime.
    pub fn total(&self) -> u64 {
        let mut before: Vec<u64> = (0..self.width as u64).map(|x| x + 1).collect();
        for layer in &self.inputs {
            before = layer
                .iter()
                .map(|[a, b, c]| {
                    before[*a]
                        .wrapping_add(before[*b])
                        .wrapping_add(before[*c])
                        .wrapping_add(1)
                })
                .collect();
        }
        before.into_iter().fold(0, u64::wrapping_add)
    }

    /// The number of nodes.
    pub fn nodes(&self) -> u64 {
        (self.width * (self.inputs.len() + 1)) as u64
    }
}
