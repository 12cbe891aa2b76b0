use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse::<i64>().unwrap());
    let n = numbers.next().unwrap() as usize;
    let w = numbers.next().unwrap();
    let mut a: Vec<i64> = numbers.take(n).collect();
    a.sort_unstable();
    let (mut light, mut heavy, mut trips) = (0, n, 0);
    while light < heavy {
        heavy -= 1;
        if light < heavy && a[light] + a[heavy] <= w {
            light += 1;
        }
        trips += 1;
    }
    println!("{trips}");
}
