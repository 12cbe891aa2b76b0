fun main() {
    val (n, w) = readLine()!!.split(' ').map { it.toInt() }
    val a = readLine()!!.trim().split(' ').map { it.toLong() }.sorted()
    var light = 0
    var heavy = n - 1
    var trips = 0
    while (light <= heavy) {
        if (light < heavy && a[light] + a[heavy] <= w) light++
        heavy--
        trips++
    }
    println(trips)
}
