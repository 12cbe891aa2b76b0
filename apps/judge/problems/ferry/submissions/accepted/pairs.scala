object Pairs {
  def main(args: Array[String]): Unit = {
    val w = scala.io.StdIn.readLine().split(' ')(1).toLong
    val a = scala.io.StdIn.readLine().trim.split(' ').map(_.toLong).sorted
    var light = 0
    var heavy = a.length - 1
    var trips = 0
    while (light <= heavy) {
      if (light < heavy && a(light) + a(heavy) <= w) light += 1
      heavy -= 1
      trips += 1
    }
    println(trips)
  }
}
