let () =
  Scanf.scanf " %d %d" (fun n w ->
      let a = Array.init n (fun _ -> Scanf.scanf " %d" Fun.id) in
      Array.sort compare a;
      let rec count light heavy trips =
        if light > heavy then trips
        else
          let both = light < heavy && a.(light) + a.(heavy) <= w in
          count (if both then light + 1 else light) (heavy - 1) (trips + 1)
      in
      Printf.printf "%d\n" (count 0 (n - 1) 0))
