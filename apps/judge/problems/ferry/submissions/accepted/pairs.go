package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var n, w int
	fmt.Fscan(in, &n, &w)
	a := make([]int, n)
	for i := range a {
		fmt.Fscan(in, &a[i])
	}
	sort.Ints(a)
	light, trips := 0, 0
	for heavy := n - 1; light <= heavy; heavy-- {
		if light < heavy && a[light]+a[heavy] <= w {
			light++
		}
		trips++
	}
	fmt.Println(trips)
}
