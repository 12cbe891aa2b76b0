program pairs;

type
  Weights = array of Int64;

procedure sort(var a: Weights; low, high: Int64);
var
  i, j: Int64;
  pivot, kept: Int64;
begin
  i := low;
  j := high;
  pivot := a[(low + high) div 2];
  while i <= j do
  begin
    while a[i] < pivot do i := i + 1;
    while a[j] > pivot do j := j - 1;
    if i <= j then
    begin
      kept := a[i];
      a[i] := a[j];
      a[j] := kept;
      i := i + 1;
      j := j - 1;
    end;
  end;
  if low < j then sort(a, low, j);
  if i < high then sort(a, i, high);
end;

var
  n, w, i, light, heavy, trips: Int64;
  a: Weights;
begin
  read(n, w);
  setLength(a, n);
  for i := 0 to n - 1 do read(a[i]);
  sort(a, 0, n - 1);
  light := 0;
  heavy := n - 1;
  trips := 0;
  while light <= heavy do
  begin
    if (light < heavy) and (a[light] + a[heavy] <= w) then light := light + 1;
    heavy := heavy - 1;
    trips := trips + 1;
  end;
  writeln(trips);
end.
