import java.io.IOException;
import java.io.StreamTokenizer;
import java.util.Arrays;

public class Pairs {
    public static void main(String[] args) throws IOException {
        StreamTokenizer in = new StreamTokenizer(System.in);
        in.nextToken();
        int n = (int) in.nval;
        in.nextToken();
        int w = (int) in.nval;
        int[] a = new int[n];
        for (int i = 0; i < n; i++) {
            in.nextToken();
            a[i] = (int) in.nval;
        }
        Arrays.sort(a);
        int light = 0;
        int trips = 0;
        for (int heavy = n - 1; light <= heavy; heavy--, trips++) {
            if (light < heavy && a[light] <= w - a[heavy]) light++;
        }
        System.out.println(trips);
    }
}
