package main

import "fmt"

func main() {
	var low, high = 1, 0
	fmt.Scan(&high)
	for low < high {
		middle := (low + high) / 2
		fmt.Println("?", middle)
		var answer string
		fmt.Scan(&answer)
		switch answer {
		case "here":
			low, high = middle, middle
		case "further":
			low = middle + 1
		default:
			high = middle
		}
	}
	fmt.Println("!", low)
}
